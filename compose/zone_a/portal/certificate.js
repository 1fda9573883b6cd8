// A self-signed X.509 certificate (RFC 5280), made at the start: no key lies in the repository.
"use strict";

const crypto = require("node:crypto");

const DAY_MS = 24 * 3600 * 1000;

function der(tag, ...parts) {
  const body = Buffer.concat(parts);
  if (body.length < 128) return Buffer.concat([Buffer.from([tag, body.length]), body]);
  const size = [];
  for (let rest = body.length; rest > 0; rest >>= 8) size.unshift(rest & 0xff);
  return Buffer.concat([Buffer.from([tag, 0x80 | size.length, ...size]), body]);
}

const sequence = (...parts) => der(0x30, ...parts);
const integer = (bytes) => der(0x02, bytes);
const utf8 = (text) => der(0x0c, Buffer.from(text));
const bits = (bytes) => der(0x03, Buffer.from([0]), bytes);
// 1.2.840.10045.4.3.2 (ecdsa-with-SHA256) and 2.5.4.3 (commonName)
const ECDSA_SHA256 = sequence(der(0x06, Buffer.from("2a8648ce3d040302", "hex")));
const COMMON_NAME = der(0x06, Buffer.from("550403", "hex"));

function time(ms) {
  const text = new Date(ms).toISOString().replace(/[-:T]/g, "").slice(0, 14);
  return der(0x18, Buffer.from(`${text}Z`));
}

/** A key and a certificate for `name`, valid from yesterday for a year, both in PEM. */
function selfSigned(name, nowMs) {
  const { privateKey, publicKey } = crypto.generateKeyPairSync("ec", { namedCurve: "P-256" });
  const subject = sequence(der(0x31, sequence(COMMON_NAME, utf8(name))));
  const serial = crypto.randomBytes(8);
  serial[0] = (serial[0] & 0x7f) | 0x01; // positive, and without a leading zero
  const version = der(0xa0, integer(Buffer.from([2])));
  const validity = sequence(time(nowMs - DAY_MS), time(nowMs + 365 * DAY_MS));
  const key = publicKey.export({ type: "spki", format: "der" });
  const body = sequence(version, integer(serial), ECDSA_SHA256, subject, validity, subject, key);
  const signature = crypto.sign("sha256", body, privateKey);
  const whole = sequence(body, ECDSA_SHA256, bits(signature)).toString("base64");
  return {
    key: privateKey.export({ type: "pkcs8", format: "pem" }),
    cert: `-----BEGIN CERTIFICATE-----\n${whole.match(/.{1,64}/g).join("\n")}\n-----END CERTIFICATE-----\n`,
  };
}

module.exports = { selfSigned };

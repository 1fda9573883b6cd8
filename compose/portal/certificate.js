// A self-signed X.509 certificate (RFC 5280), made with Node alone: node:20-alpine has no openssl
// program. ECDSA on P-256 with SHA-256.
'use strict';

const crypto = require('node:crypto');

const DAY_MS = 24 * 60 * 60 * 1000;
const DAYS = 397;
const CLOCK_SKEW_MS = 60 * 60 * 1000;
const TAG = { integer: 0x02, bits: 0x03, octets: 0x04, utf8: 0x0c, utcTime: 0x17, sequence: 0x30, set: 0x31 };
// Object identifiers, already encoded.
const OID = {
  ecdsaWithSha256: Buffer.from('06082a8648ce3d040302', 'hex'),
  commonName: Buffer.from('0603550403', 'hex'),
  subjectAltName: Buffer.from('0603551d11', 'hex'),
  extendedKeyUsage: Buffer.from('0603551d25', 'hex'),
  serverAuth: Buffer.from('06082b06010505070301', 'hex'),
};

function der(tag, ...parts) {
  const body = Buffer.concat(parts);
  if (body.length < 0x80) return Buffer.concat([Buffer.from([tag, body.length]), body]);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(body.length);
  const digits = length.subarray(length.findIndex((byte) => byte !== 0));
  return Buffer.concat([Buffer.from([tag, 0x80 | digits.length]), digits, body]);
}

function utcTime(ms) {
  const text = new Date(ms).toISOString().replace(/[-:T]/g, '').slice(2, 14);
  return der(TAG.utcTime, Buffer.from(`${text}Z`));
}

function name(common) {
  const pair = der(TAG.sequence, OID.commonName, der(TAG.utf8, Buffer.from(common)));
  return der(TAG.sequence, der(TAG.set, pair));
}

function extension(oid, value) {
  return der(TAG.sequence, oid, der(TAG.octets, value));
}

// Key and certificate, both as PEM, valid from now on for `DAYS` days.
function selfSigned(hosts, addresses, nowMs) {
  const { publicKey, privateKey } = crypto.generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const algorithm = der(TAG.sequence, OID.ecdsaWithSha256);
  const names = [
    ...hosts.map((host) => der(0x82, Buffer.from(host))),
    ...addresses.map((address) => der(0x87, Buffer.from(address.split('.').map(Number)))),
  ];
  // A serial number is positive and has no leading zero byte.
  const serial = crypto.randomBytes(16);
  serial[0] = (serial[0] & 0x3f) | 0x40;
  const body = der(
    TAG.sequence,
    der(0xa0, der(TAG.integer, Buffer.from([2]))), // version 3
    der(TAG.integer, serial),
    algorithm,
    name(hosts[0]),
    der(TAG.sequence, utcTime(nowMs - CLOCK_SKEW_MS), utcTime(nowMs + DAYS * DAY_MS)),
    name(hosts[0]),
    publicKey.export({ type: 'spki', format: 'der' }),
    der(
      0xa3,
      der(
        TAG.sequence,
        extension(OID.subjectAltName, der(TAG.sequence, ...names)),
        extension(OID.extendedKeyUsage, der(TAG.sequence, OID.serverAuth)),
      ),
    ),
  );
  const signature = crypto.sign('sha256', body, privateKey);
  const whole = der(TAG.sequence, body, algorithm, der(TAG.bits, Buffer.from([0]), signature));
  const lines = whole.toString('base64').match(/.{1,64}/g).join('\n');
  return {
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }),
    cert: `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`,
  };
}

module.exports = { selfSigned };

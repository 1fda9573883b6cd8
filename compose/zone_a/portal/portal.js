// A stand-in for the admin portal: one page over HTTPS, the only port that Zone A shows.
"use strict";

const https = require("node:https");
const { selfSigned } = require("./certificate.js");

const PORT = 443;
const server = https.createServer(selfSigned("admin-portal", Date.now()), (request, response) => {
  response.writeHead(200, { "content-type": "text/html; charset=utf-8" });
  response.end("<!doctype html><title>Admin portal</title><h1>Admin portal</h1>\n");
});
server.listen(PORT, () => console.log(`listening on ${PORT}`));
for (const signal of ["SIGTERM", "SIGINT"]) process.on(signal, () => process.exit(0));

// A stand-in for the admin portal: one static page and /healthz over HTTPS, with a certificate that
// is made at each start and lives in memory only.
//   PORTAL_LISTEN_HOST (0.0.0.0), PORTAL_LISTEN_PORT (443)
'use strict';

const https = require('node:https');
const os = require('node:os');
const { selfSigned } = require('./certificate.js');

const PAGE = `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>Admin portal (stand-in)</title></head>
<body>
<h1>Admin portal (stand-in)</h1>
<p>This container holds the place of the real portal: same quota, same port, no functions.</p>
</body>
</html>
`;
const HEADERS = {
  'Cache-Control': 'no-store',
  'Content-Security-Policy': "default-src 'none'",
  'Strict-Transport-Security': 'max-age=31536000',
  'X-Content-Type-Options': 'nosniff',
};
const ANSWERS = {
  '/': { type: 'text/html; charset=utf-8', body: PAGE },
  '/healthz': { type: 'text/plain; charset=utf-8', body: 'ok\n' },
};
const CONNECTIONS_MAX = 256;
const TIMEOUT_MS = 10_000;

function answer(request, response) {
  request.resume();
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    response.writeHead(405, { ...HEADERS, Allow: 'GET, HEAD', 'Content-Length': 0 }).end();
    return;
  }
  const found = ANSWERS[request.url];
  const { type, body } = found ?? { type: 'text/plain; charset=utf-8', body: 'not found\n' };
  const headers = { ...HEADERS, 'Content-Type': type, 'Content-Length': Buffer.byteLength(body) };
  response.writeHead(found ? 200 : 404, headers);
  response.end(request.method === 'HEAD' ? undefined : body);
}

function main() {
  const host = process.env.PORTAL_LISTEN_HOST || '0.0.0.0';
  const port = Number(process.env.PORTAL_LISTEN_PORT || 443);
  const identity = selfSigned(['localhost', os.hostname()], ['127.0.0.1'], Date.now());
  const server = https.createServer({ ...identity, minVersion: 'TLSv1.2' }, answer);
  server.maxConnections = CONNECTIONS_MAX;
  server.requestTimeout = TIMEOUT_MS;
  server.headersTimeout = TIMEOUT_MS;
  server.on('error', (error) => {
    console.error(`cannot listen on ${host}:${port}: ${error.message}`);
    process.exit(1);
  });
  server.listen(port, host, () => console.error(`listening on ${host}:${server.address().port}`));
  for (const name of ['SIGTERM', 'SIGINT']) {
    process.on(name, () => {
      server.closeAllConnections();
      server.close(() => process.exit(0));
    });
  }
}

main();

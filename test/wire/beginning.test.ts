import t from 'tap'
import { readBeginning } from '../../src/wire/beginning.ts'

void t.test('readBeginning tells what a client speaks, as soon as it can', async (t) => {
  const cases: readonly { bytes: string; found: string | undefined }[] = [
    { bytes: '', found: undefined },
    { bytes: '\x16', found: 'tls' },
    { bytes: '\x16\x03\x01', found: 'tls' },
    { bytes: 'GET / HTTP/1.1\r\n', found: 'http' },
    { bytes: 'GET / HTTP/1.1\nHost: x', found: 'http' },
    { bytes: 'GET / HTTP/1.1', found: undefined },
    { bytes: 'G', found: undefined },
    { bytes: 'get / http/1.1\r\n', found: 'http' },
    { bytes: 'GET /\r\n', found: 'http' },
    { bytes: 'BREW / HTTP/1.1\r\n', found: 'http' },
    { bytes: 'M-SEARCH * HTTP/1.1\r\n', found: 'http' },
    { bytes: 'CONNECT x:443 HTTP/1.1\r\n', found: 'http' },
    { bytes: 'PRI * HTTP/2.0\r\n', found: 'other' },
    { bytes: 'SSH-2.0-x\r\n', found: 'other' },
    { bytes: 'EHLO x\r\n', found: 'other' },
    { bytes: '\0\0\0\x08', found: 'other' },
    { bytes: '\r\nGET / HTTP/1.1\r\n', found: 'other' },
    { bytes: ' GET / HTTP/1.1\r\n', found: 'other' },
    { bytes: '{\n', found: 'other' },
  ]
  for (const { bytes, found } of cases) {
    t.equal(readBeginning(Buffer.from(bytes, 'latin1')), found, JSON.stringify(bytes))
  }
})

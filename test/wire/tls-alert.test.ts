import { connect as connectTls } from 'node:tls'
import { duplexPair } from 'node:stream'
import t from 'tap'
import { type CloseReason, contentReasons } from '../../src/reasons.ts'
import { renderTlsAlert } from '../../src/wire/tls-alert.ts'

void t.test('renderTlsAlert is understood by a TLS client', async (t) => {
  const alerts: Partial<Record<CloseReason, string>> = {
    'name-mismatch': 'ERR_SSL_TLSV1_UNRECOGNIZED_NAME',
    'tls-name-absent': 'ERR_SSL_TLSV13_ALERT_MISSING_EXTENSION',
    'tls-names-several': 'ERR_SSL_SSL/TLS_ALERT_ILLEGAL_PARAMETER',
    'tls-unreadable': 'ERR_SSL_TLSV1_ALERT_DECODE_ERROR',
    'tls-encrypted': 'ERR_SSL_TLSV1_ALERT_ACCESS_DENIED',
    'not-tls': 'ERR_SSL_SSL/TLS_ALERT_UNEXPECTED_MESSAGE',
    'policy-revoked': 'ERR_SSL_TLSV1_ALERT_ACCESS_DENIED',
  }
  for (const reason of [...contentReasons, 'policy-revoked'] as const) {
    const [client, server] = duplexPair()
    const socket = connectTls({ socket: client, servername: 'api.example' })
    const failed = new Promise<string | undefined>((resolve) => {
      socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code))
    })
    server.once('data', () => server.end(renderTlsAlert(reason)))
    t.equal(await failed, alerts[reason], reason)
    socket.destroy()
  }
})

import t from 'tap'
import { connectDeadlineCode, failureReason } from '../../src/transport/backend-failure.ts'

function failure(code: string | undefined): Error {
  const error = new Error('words that must not matter')
  return code === undefined ? error : Object.assign(error, { code })
}

const cases = [
  { code: 'ENOTFOUND', phase: 'resolving', reason: 'dns-failed' },
  { code: 'EAI_AGAIN', phase: 'resolving', reason: 'dns-failed' },
  { code: 'ENOTFOUND', phase: 'connecting', reason: 'dns-failed' },
  { code: 'EUNHEARD', phase: 'resolving', reason: 'dns-failed' },
  { code: connectDeadlineCode, phase: 'resolving', reason: 'dns-timeout' },
  { code: connectDeadlineCode, phase: 'connecting', reason: 'connect-timeout' },
  { code: connectDeadlineCode, phase: 'securing', reason: 'connect-timeout' },
  { code: 'ECONNREFUSED', phase: 'connecting', reason: 'connect-refused' },
  { code: 'ETIMEDOUT', phase: 'connecting', reason: 'connect-timeout' },
  { code: 'ETIMEDOUT', phase: 'ready', reason: 'backend-reset' },
  { code: 'EHOSTUNREACH', phase: 'connecting', reason: 'connect-failed' },
  { code: 'ENETUNREACH', phase: 'connecting', reason: 'connect-failed' },
  { code: 'ECONNRESET', phase: 'connecting', reason: 'connect-failed' },
  { code: 'ECONNRESET', phase: 'securing', reason: 'tls-failed' },
  { code: 'DEPTH_ZERO_SELF_SIGNED_CERT', phase: 'securing', reason: 'tls-failed' },
  { code: 'ERR_TLS_CERT_ALTNAME_INVALID', phase: 'securing', reason: 'tls-failed' },
  { code: 'ECONNRESET', phase: 'ready', reason: 'backend-reset' },
  { code: 'EPIPE', phase: 'ready', reason: 'backend-reset' },
  { code: 'HPE_INVALID_CONSTANT', phase: 'ready', reason: 'backend-invalid' },
  { code: 'HPE_HEADER_OVERFLOW', phase: 'ready', reason: 'backend-invalid' },
  { code: undefined, phase: 'ready', reason: 'backend-reset' },
] as const

void t.test(
  'failureReason names a failure by its code and how far the connection had come',
  async (t) => {
    for (const { code, phase, reason } of cases) {
      t.equal(failureReason(failure(code), phase), reason, `${code} while ${phase}`)
    }
  },
)

import { connect as connectTcp, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { decisionReasons } from '../reasons.ts'
import { KiB, seconds } from '../units.ts'
import type { Address } from './instance.ts'

/** What an instance answered. */
export type Answer =
  /** By a decision of its own. */
  | {
      readonly kind: 'refused'
      readonly reason: string
      readonly correlationId: string | undefined
    }
  /** By anything else: somebody behind it, or that nobody there could be reached. */
  | {
      readonly kind: 'let-through'
      readonly status: number
      /** Why it got no further, where the instance says so. */
      readonly failure: string | undefined
      readonly correlationId: string | undefined
    }
  /** The connection ended without a word. */
  | { readonly kind: 'silence' }
  | { readonly kind: 'unreachable'; readonly why: string }

export interface Question {
  readonly to: Address | { readonly socket: string }
  readonly isSecure?: boolean
  /** Latin-1. */
  readonly bytes: string
}

const patienceMs = seconds(10)
const maxAnswerBytes = 64 * KiB

/** Sends these bytes on a connection of their own and reads one answer. Never rejects. */
export async function ask({ to, isSecure = false, bytes }: Question): Promise<Answer> {
  return new Promise((resolve) => {
    const socket = open(to, isSecure)
    let text = ''
    let isOpen = false
    const timer = setTimeout(
      () => settle({ kind: 'unreachable', why: 'no answer in time' }),
      patienceMs,
    )
    const settle = (answer: Answer): void => {
      clearTimeout(timer)
      resolve(answer)
      socket.destroy()
    }
    socket.on('error', (error: NodeJS.ErrnoException) => {
      settle(isOpen ? readAnswer(text) : { kind: 'unreachable', why: error.code ?? error.message })
    })
    socket.once(isSecure ? 'secureConnect' : 'connect', () => {
      isOpen = true
      socket.write(bytes, 'latin1')
    })
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1')
      if (isWhole(text) || text.length > maxAnswerBytes) settle(readAnswer(text))
    })
    socket.on('close', () => settle(readAnswer(text)))
  })
}

function open(to: Question['to'], isSecure: boolean): Socket {
  const where = 'socket' in to ? { path: to.socket } : reachable(to)
  // It is our own listener, whose certificate may name anything; nothing secret is said to it.
  return isSecure ? connectTls({ ...where, rejectUnauthorized: false }) : connectTcp(where)
}

/** A listener on every interface is on loopback. */
function reachable({ host, port }: Address): Address {
  if (host === '0.0.0.0') return { host: '127.0.0.1', port }
  return { host: host === '::' ? '::1' : host, port }
}

/** Whether the head is there, and as much of a body as it announces. Whatever switches has no body. */
function isWhole(text: string): boolean {
  const end = text.indexOf('\r\n\r\n')
  if (end === -1) return false
  const length = Number(/^content-length: *(\d+)\r$/im.exec(text.slice(0, end + 2))?.[1] ?? 0)
  return text.length >= end + 4 + length
}

function readAnswer(text: string): Answer {
  const status = Number(/^HTTP\/1\.[01] (\d{3})/.exec(text)?.[1])
  if (Number.isNaN(status)) return { kind: 'silence' }
  const correlationId = /^x-ms-request-id: *(\S+)\r$/im.exec(text)?.[1]
  const reason = status < 400 ? undefined : /"reason":"([a-z-]+)"/.exec(text)?.[1]
  return reason !== undefined && decisions.has(reason)
    ? { kind: 'refused', reason, correlationId }
    : { kind: 'let-through', status, failure: reason, correlationId }
}

const decisions: ReadonlySet<string> = new Set(decisionReasons)

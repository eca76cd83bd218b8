import t from 'tap'
import { createTicketKeys } from '../../src/compose/ticket-keys.ts'

function keysOf(pems: ReturnType<ReturnType<typeof createTicketKeys>>, name: string): string {
  return Buffer.from(pems.get(name)?.ticketKeys ?? []).toString('hex')
}

void t.test(
  'createTicketKeys: each listener has its own, as long as its certificate',
  async (t) => {
    const withKeys = createTicketKeys()
    const pem = { cert: 'c', key: 'k' }
    const first = withKeys(
      new Map([
        ['a', pem],
        ['b', pem],
      ]),
    )
    t.equal(keysOf(first, 'a').length, 2 * 48)
    t.not(keysOf(first, 'a'), keysOf(first, 'b'))
    const same = withKeys(new Map([['a', pem]]))
    t.equal(keysOf(same, 'a'), keysOf(first, 'a'))
    const renewed = withKeys(new Map([['a', { ...pem, cert: 'd' }]]))
    t.not(keysOf(renewed, 'a'), keysOf(first, 'a'))
    t.not(keysOf(withKeys(new Map([['a', { cert: 'd', key: 'l' }]])), 'a'), keysOf(renewed, 'a'))
  },
)

import fc from 'fast-check'
import t from 'tap'
import { closedShop, type InboundWorld, openShop, startInbound } from '../support/inbound-world.ts'
import { startOrigin } from '../support/origin.ts'
import { connectRaw, type RawClient } from '../support/raw-client.ts'

/** What the relay remembers of a connection must never show: each request is answered as on a connection of its own. */

const request = fc.record({
  line: fc.constantFrom(
    'GET / HTTP/1.1',
    'GET / HTTP/1.1',
    'PUT /a?b HTTP/1.1',
    'GET /# HTTP/1.1',
    'GET http://orders.test/ HTTP/1.1',
  ),
  fields: fc.constantFrom(
    'Host: orders.test\r\n',
    'Host: orders.test\r\n',
    'Host: others.tes\r\n',
    'Host: orders.test\r\nX-Forwarded-For: 10.0.0.1\r\n',
    'Host: orders.test\r\nX-NSP-Subscription-Id: 1\r\n',
    'Host: orders.test\r\nHost: orders.test\r\n',
  ),
  /** What is in force when it comes; nobody tells what is open. */
  policy: fc.constantFrom('open', 'open', 'closed', 'forwarded'),
})

interface Asked {
  readonly line: string
  readonly fields: string
  readonly policy: string
}

void t.test(
  'each of several requests on a connection is answered as if it were the first',
  async (t) => {
    const origin = await startOrigin((request, response) => {
      response.end(JSON.stringify([request.method, request.url, request.rawHeaders]))
    })
    t.teardown(() => origin.close())
    const world: InboundWorld = await startInbound(t, openShop(origin.url))
    const putInForce = (policy: string): void => {
      const forwardedHeader = policy === 'forwarded' ? 'forwarded' : 'x-forwarded-for'
      const inbound = [{ name: 'public', forwardedHeader } as const]
      world.inForce.swap((policy === 'closed' ? closedShop : openShop)(origin.url, { inbound }))
    }
    /** What the client has of it, the back end, and the access log. */
    const answered = async (client: RawClient, { line, fields }: Asked): Promise<string> => {
      client.send(`${line}\r\n${fields}\r\n`)
      const { status, body } = await client.response()
      const decision = world.records.at(-1)?.decision
      return JSON.stringify([status, decision, status === 200 ? body : undefined])
    }
    const alone = async (asked: Asked): Promise<string> => {
      const client = await connectRaw(world)
      try {
        return await answered(client, asked)
      } finally {
        client.destroy()
      }
    }
    await fc.assert(
      fc.asyncProperty(fc.array(request, { minLength: 2, maxLength: 4 }), async (asked) => {
        let client = await connectRaw(world)
        try {
          for (const one of asked) {
            putInForce(one.policy)
            const expected = await alone(one)
            t.equal(await answered(client, one), expected, JSON.stringify(one))
            // A refusal may have been the last answer of its connection.
            if (!/^\[(?:200|403),/.test(expected)) {
              client.destroy()
              client = await connectRaw(world)
            }
          }
        } finally {
          client.destroy()
        }
      }),
      { numRuns: 60 },
    )
    t.not(origin.seen.length, 0)
  },
)

import t from 'tap'
import { hashSecret } from '../../src/identity/verify-secret.ts'
import { connectRaw } from '../support/raw-client.ts'
import { startTwoWorkers } from '../support/two-workers.ts'

void t.test(
  'a gateway knows its members in every worker, and a new secret ends the old',
  async (t) => {
    const listener = { name: 'egress', listen: { host: '127.0.0.1', port: 0 } }
    const withSecret = async (secret: string): Promise<object> => ({
      outbound: [
        {
          ...listener,
          callers: [
            {
              resource: 'orders',
              basic: { user: 'orders', secretHash: await hashSecret(Buffer.from(secret)) },
            },
          ],
        },
      ],
    })
    const { instance, shop, outside } = await startTwoWorkers(t, {
      settings: await withSecret('the first secret'),
    })
    const authority = `api.outside.test:${outside.port}`
    const askMany = async (secret: string): Promise<ReadonlySet<number>> => {
      const credentials = Buffer.from(`orders:${secret}`).toString('base64')
      const statuses = await Promise.all(
        Array.from({ length: 24 }, async () => {
          const client = await connectRaw({ port: instance.port('egress') })
          t.teardown(() => client.destroy())
          client.send(
            `GET http://${authority}/ HTTP/1.1\r\nHost: ${authority}\r\nProxy-Authorization: Basic ${credentials}\r\n\r\n`,
          )
          return (await client.response()).status
        }),
      )
      return new Set(statuses)
    }
    t.strictSame(await askMany('the first secret'), new Set([200]))
    t.strictSame(await askMany('a wrong secret'), new Set([407]))
    await shop.setSettings(await withSecret('the next secret'))
    await instance.running.reload('test')
    t.strictSame(await askMany('the first secret'), new Set([407]))
    t.strictSame(await askMany('the next secret'), new Set([200]))
  },
)

import { readFile } from 'node:fs/promises'
import { inspect } from 'node:util'
import t from 'tap'
import { startRawOrigin } from '../support/origin.ts'
import { connectRaw } from '../support/raw-client.ts'
import { ask } from '../support/http-get.ts'
import { eventually, startInProcess } from '../support/ringfence.ts'
import { laneUnderTest } from '../support/settings-parts.ts'
import { writeShop } from '../support/shop.ts'
import { startUpstreamProxy } from '../support/upstream-proxy.ts'

/** A whole instance: the credentials are read with the settings, follow a reload, and are shown to the proxy alone. */

const basic = (text: string): string => `Basic ${Buffer.from(text).toString('base64')}`

for (const workers of [1, 2]) {
  void t.test(
    `The upstream proxy alone is shown the credentials, workers: ${workers}`,
    async (t) => {
      const upstream = await startUpstreamProxy()
      t.teardown(() => upstream.close())
      const origin = await startRawOrigin({
        onConnection: (socket) => void socket.end('HTTP/1.1 204 No Content\r\n\r\n'),
      })
      t.teardown(() => origin.close())
      const lane = laneUnderTest
      const upstreamProxy = { url: upstream.url, credentialsFile: 'proxy.credentials' }
      const shop = await writeShop(t, {
        backendPort: 1,
        settings: { lane, workers, egress: { ports: [origin.port], upstreamProxy } },
      })
      await shop.write('proxy.credentials', 'first:planted-secret\n')
      const instance = await startInProcess(t, shop)
      const authority = `api.outside.test:${origin.port}`
      const connect = async (): Promise<string> => {
        const client = await connectRaw({ port: instance.port('egress') })
        client.send(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n\r\n`)
        const { status } = await client.response({ bodyless: true })
        t.equal(status, 200)
        client.destroy()
        return upstream.heads.at(-1) ?? ''
      }
      t.match(await connect(), basic('first:planted-secret'))
      await shop.write('proxy.credentials', 'second:planted-secret\n')
      t.equal((await instance.running.reload('test')).kind, 'reloaded')
      t.match(await connect(), basic('second:planted-secret'), 'what was read anew counts')

      await shop.write('proxy.credentials', 'planted-secret without a colon')
      t.equal((await instance.running.reload('test')).kind, 'failed')
      t.match(await connect(), basic('second:planted-secret'), 'what was in force stays')

      upstream.answer = 'HTTP/1.1 407 Proxy Authentication Required\r\n\r\n'
      const client = await connectRaw({ port: instance.port('egress') })
      client.send(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n\r\n`)
      const { text: refusal } = await client.rest()
      t.match(refusal, 'with status 407')
      await eventually(
        () => instance.log.lines,
        (lines) => lines.some(({ level, text }) => level === 'warn' && text.includes('status 407')),
      )
      const policy = await ask({ socketPath: shop.adminSocket, path: '/policy' })
      const status = await ask({ socketPath: shop.adminSocket, path: '/status' })
      await instance.running.stop()
      const said = [
        refusal,
        policy.body,
        status.body,
        await readFile(shop.auditFile, 'utf8'),
        instance.log.lines.map(({ text }) => text).join('\n'),
        inspect(instance.running.inForce(), { depth: Infinity, showHidden: true }),
        JSON.stringify(instance.running.inForce()),
      ]
      const secrets = [
        'planted-secret',
        basic('first:planted-secret'),
        basic('second:planted-secret'),
      ]
      for (const text of said) {
        t.ok(text.length > 2)
        for (const secret of secrets) t.notOk(text.includes(secret.replace('Basic ', '')))
      }
    },
  )
}

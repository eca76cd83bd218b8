import t from 'tap'
import { enforced, startProxy } from '../outbound/proxy-fixture.ts'
import { startOrigin, startRawOrigin } from '../support/origin.ts'

void t.test('50 reloads lose no allowed request, and no tunnel', async (t) => {
  const origin = await startOrigin((request, response) => void request.pipe(response))
  t.teardown(() => origin.close())
  const echo = await startRawOrigin({ onData: (socket, text) => void socket.write(text.slice(-1)) })
  t.teardown(() => echo.close())
  const version = (marker: number): Parameters<typeof startProxy>[1] => {
    const parts = enforced(origin.port, { limits: { headerCount: 100 + marker } })
    return { ...parts, egress: { ...parts.egress, ports: [origin.port, echo.port] } }
  }
  const proxy = await startProxy(t, version(0))
  const tunnel = await proxy.connect()
  tunnel.send(`CONNECT api.example:${echo.port} HTTP/1.1\r\nHost: api.example\r\n\r\n`)
  await tunnel.until('\r\n\r\n')

  let isOver = false
  const host = `api.example:${origin.port}`
  const ask = async (method: string, body: string): Promise<number> => {
    const client = await proxy.connect()
    let count = 0
    while (!isOver) {
      client.send(
        `${method} http://${host}/ HTTP/1.1\r\nHost: ${host}\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
      )
      const { status } = await client.response()
      if (status !== 200) throw new Error(`${method} got ${status}`)
      count++
    }
    client.destroy()
    return count
  }
  const dials = async (): Promise<number> => {
    let count = 0
    while (!isOver) {
      const client = await proxy.connect()
      client.send(`CONNECT api.example:${echo.port} HTTP/1.1\r\nHost: api.example\r\n\r\nx`)
      await client.until('\r\n\r\nx')
      client.destroy()
      count++
    }
    return count
  }
  const working = Promise.all([ask('GET', ''), ask('POST', 'hello'), ask('PUT', 'x'), dials()])
  for (let reload = 1; reload <= 50; reload++) {
    await proxy.swap(version(reload))
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  isOver = true
  const counts = await working
  t.ok(
    counts.every((count) => count > 0),
    `${counts.join(', ')} requests and tunnels`,
  )
  tunnel.send('y')
  await tunnel.until('y')
  t.ok(proxy.records.every(({ decision }) => decision.effect === 'allow'))
  t.notOk(proxy.records.some(({ end }) => end?.closeReason === 'policy-revoked'))
})

import t from 'tap'
import { describeWorld } from '../../src/demo/keep.ts'
import type { World } from '../../src/demo/world.ts'

const ports = {
  public: 1001,
  publicTls: 1002,
  private: 1003,
  ordersEgress: 1004,
  searchEgress: 1005,
  ledgerEgress: 1006,
  strayEgress: 1007,
  health: 1008,
  closed: 1009,
}

const backEnd = (port: number) => ({
  name: 'a service',
  port,
  tlsPort: 1,
  received: async () => 0,
})

const world: World = {
  folder: '/demo',
  settingsFile: '/demo/ringfence.yaml',
  shopFile: '/demo/shop.yaml',
  logFile: '/demo/access.log',
  adminSocket: '/demo/admin.sock',
  certificate: { certificateFile: '/demo/cert.pem', keyFile: '/demo/key.pem', text: '' },
  ports,
  services: {
    blob: backEnd(2001),
    vault: backEnd(2002),
    search: backEnd(2003),
    payments: backEnd(2004),
    updates: backEnd(2005),
    drop: backEnd(2006),
  },
}

void t.test('describeWorld: commands to try, each at a port or socket of this world', (t) => {
  const commands = describeWorld(world)
    .map((line) => line.trim())
    .filter((line) => line.startsWith('curl '))
  t.equal(commands.length, 8)
  const places = [
    [3, /^curl -i .*'Host: \S+' http:\/\/127\.0\.0\.1:1001\/$/],
    [1, /^curl -i -x http:\/\/127\.0\.0\.1:1004 http:\/\/\S+:2004\/$/],
    [1, /^curl -i -x http:\/\/127\.0\.0\.1:1004 http:\/\/\S+:2006\/$/],
    [2, /^curl -s --unix-socket \/demo\/admin\.sock http:\/\/admin\/(policy|denials)$/],
    [1, /^curl -s http:\/\/127\.0\.0\.1:1008\/metrics$/],
  ] as const
  for (const [count, pattern] of places) {
    t.equal(commands.filter((line) => pattern.test(line)).length, count, String(pattern))
  }
  t.end()
})

void t.test('describeWorld: what to change, what to watch, how to end it', (t) => {
  const text = describeWorld(world).join('\n')
  for (const part of ['tail -f /demo/access.log', '/demo/shop.yaml', 'Ctrl-C']) {
    t.match(text, part)
  }
  t.match(text, /explain inbound --config \/demo\/ringfence\.yaml --resource orders --source /)
  t.end()
})

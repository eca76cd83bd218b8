import { createServer } from 'node:net'
import { once } from 'node:events'
import { mkdir, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { spawnRingfence, writeConfiguration } from '../support/ringfence.ts'
import { shopPerimeter, shopSettings } from '../support/shop.ts'

const base = shopSettings({ backendPort: 1 })

void t.test('what keeps it from starting is said in one line each, exit code 1', async (t) => {
  const taken = createServer()
  taken.listen(0, '127.0.0.1')
  await once(taken, 'listening')
  t.teardown(() => taken.close())
  const address = taken.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  const listen = { host: '127.0.0.1', port }

  const cases: readonly {
    readonly note: string
    readonly settings: object
    readonly perimeter?: object | string
    readonly says: RegExp
  }[] = [
    {
      note: 'an inbound port that is taken',
      settings: { inbound: [{ name: 'public', listen }] },
      says: /^ringfence: cannot listen on `127\.0\.0\.1:\d+`: something else listens there\n$/,
    },
    {
      note: 'a health port that is taken, when everything else is open already',
      settings: { health: { listen } },
      says: /^ringfence: cannot listen on `127\.0\.0\.1:\d+`: something else listens there\n$/,
    },
    {
      note: 'several addresses at once',
      settings: {
        inbound: [
          { name: 'public', listen },
          { name: 'free', listen: { host: '127.0.0.1', port: 0 } },
        ],
        outbound: [
          { name: 'egress', listen: { host: '192.0.2.1', port }, clients: ['192.0.2.0/24'] },
        ],
        admin: { socket: 'nowhere/admin.sock' },
      },
      says: /^ringfence: .*`192\.0\.2\.1:\d+`: no interface.*\nringfence: .*`127\.0\.0\.1:\d+`: something else.*\nringfence: .*admin\.sock`: the directory does not exist\n$/,
    },
    {
      note: 'a certificate that is not there',
      settings: {
        inbound: [
          {
            name: 'public',
            listen: { host: '127.0.0.1', port: 0 },
            tls: { certificateFile: 'none.crt', keyFile: 'none.key' },
          },
        ],
      },
      says: /^(ringfence: .*ringfence\.yaml:\d+:\d+: error: the file does not exist\n){2}$/,
    },
    {
      note: 'a policy that is broken',
      settings: {},
      perimeter: 'name: [',
      says: /^(ringfence: .*shop\.yaml:\d+:\d+: error: .*\n)+$/,
    },
    {
      note: 'an access log that cannot be opened',
      settings: { audit: { file: 'nowhere/access.log' } },
      says: /^ringfence: the access log `.*nowhere\/access\.log` cannot be opened: its directory does not exist\n$/,
    },
    {
      note: 'an admin socket in a directory that is not there',
      settings: { admin: { socket: 'nowhere/admin.sock' } },
      says: /^ringfence: cannot listen on .*admin\.sock.*\n$/,
    },
  ]
  for (const { note, settings, perimeter, says } of cases) {
    await t.test(note, async (t) => {
      const files = await writeConfiguration(t, {
        settings: { ...base, ...settings },
        perimeters: { shop: shopPerimeter({}) },
      })
      if (perimeter !== undefined) await files.write('perimeters/shop.yaml', perimeter)
      const instance = spawnRingfence(t, ['run', '--config', files.configFile])
      t.equal(await instance.exited, 1)
      t.match(instance.stderr(), says)
      t.notMatch(instance.stderr(), /\n +at /, 'no stack')
      t.equal(instance.stdout(), '')
    })
  }
})

void t.test('a socket that a dead process left behind is taken over', async (t) => {
  const files = await writeConfiguration(t, {
    settings: base,
    perimeters: { shop: shopPerimeter({}) },
  })
  const first = spawnRingfence(t, ['run', '--config', files.configFile])
  await first.says(/^ready in/m)
  first.child.kill('SIGKILL')
  await first.exited
  t.ok((await readdir(files.folder)).includes('admin.sock'))
  const second = spawnRingfence(t, ['run', '--config', files.configFile])
  await second.says(/^ready in/m)
  t.pass('it started')
})

void t.test('a directory in the place of the settings is said, not thrown', async (t) => {
  const files = await writeConfiguration(t, { settings: base, perimeters: {} })
  const folder = join(files.folder, 'directory.yaml')
  await mkdir(folder)
  const instance = spawnRingfence(t, ['run', '--config', folder])
  t.equal(await instance.exited, 1)
  t.match(instance.stderr(), /^ringfence: .*: error: this is a directory, not a file\n$/)
})

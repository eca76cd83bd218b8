import { execFile, execFileSync } from 'node:child_process'
import { chmod, chown, lstat } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'
import { startOrigin } from '../support/origin.ts'
import { type ChildInstance, startChild } from '../support/ringfence.ts'
import { shopSettings, writeShop } from '../support/shop.ts'

/** The workload that is being confined runs as another user, and gets at nothing that confines it. */

const uid = 65_534
const isRoot = process.getuid?.() === 0

async function start(t: Test): Promise<ChildInstance & { readonly egressSocket: string }> {
  const origin = await startOrigin()
  t.teardown(() => origin.close())
  const settings = {
    ...shopSettings({ backendPort: origin.port }),
    outbound: [
      { name: 'egress', listen: { host: '127.0.0.1', port: 0 }, resource: 'orders' },
      { name: 'local', listen: { socket: 'egress.sock', mode: '0660' }, resource: 'orders' },
    ],
  }
  const shop = await writeShop(t, { backendPort: origin.port, settings })
  const instance = await startChild(t, shop)
  return { ...instance, egressSocket: join(shop.folder, 'egress.sock') }
}

void t.test('the admin socket is for its owner alone', async (t) => {
  const { adminSocket } = await start(t)
  t.equal((await lstat(adminSocket)).mode & 0o777, 0o600)
})

/** Undefined: a workload can be put there; else why not. */
const places: readonly {
  readonly where: string
  readonly before: readonly string[]
  readonly whyNot: () => string | undefined
}[] = [
  { where: 'on the same network', before: [], whyNot: () => undefined },
  {
    where: 'in a network namespace of its own',
    before: ['unshare', '--net', '--'],
    whyNot() {
      try {
        execFileSync('unshare', ['--net', '--', 'true'], { stdio: 'ignore' })
        return undefined
      } catch (error) {
        return `unshare --net: ${error instanceof Error ? error.message : String(error)}`
      }
    },
  },
]

for (const { where, before, whyNot } of places) {
  void t.test(`a workload ${where} gets at nothing`, async (t) => {
    const why = isRoot ? whyNot() : 'only root can become somebody else'
    if (why !== undefined) {
      t.comment(`not tried: ${why}`)
      t.pass(why)
      return
    }
    const instance = await start(t)
    // As open as an operator could have it: what holds is the mode of the socket itself.
    for (const folder of [instance.folder, join(instance.folder, 'perimeters')])
      await chmod(folder, 0o755)
    await chown(instance.egressSocket, 0, uid)
    const given = {
      uid,
      adminSocket: instance.adminSocket,
      egressSocket: instance.egressSocket,
      egressPort: instance.port('egress'),
      healthPort: instance.port('health'),
      files: [
        instance.configFile,
        join(instance.folder, 'perimeters/shop.yaml'),
        instance.auditFile,
      ],
      pid: instance.child.pid,
    }
    const script = join(import.meta.dirname, 'confined-child.ts')
    const asked = [...before, process.execPath, script, JSON.stringify(given)]
    const { stdout } = await promisify(execFile)('/usr/bin/env', asked)
    const results = JSON.parse(stdout) as Record<string, string>
    const { uid: ranAs, ...attempts } = results
    t.equal(ranAs, String(uid))
    t.ok(Object.keys(attempts).length >= 17)
    for (const [attempt, result] of Object.entries(attempts)) {
      const isUnreachable = before.length > 0 && attempt.startsWith('port: ')
      const held = isUnreachable ? /^ECONNREFUSED$|^ENETUNREACH$/ : /^EACCES$|^EPERM$|^40[03] /
      t.match(result, held, attempt)
      t.notMatch(result, /accessRules|ringfence_decisions/)
    }
  })
}

import { readFileSync } from 'node:fs'
import path from 'node:path'
import t from 'tap'

const root = path.resolve(import.meta.dirname, '../..')

for (const folder of ['.', 'test/azurite']) {
  void t.test(`lock file of ${folder}: integrity for all, an address for none`, async (t) => {
    const text = readFileSync(path.join(root, folder, 'package-lock.json'), 'utf8')
    t.notMatch(text, /"resolved"/)
    const lock: unknown = JSON.parse(text)
    const packages = Object.entries(sectionOf(lock, 'packages')).filter(([name]) => name !== '')
    t.ok(packages.length > 50)
    for (const [name, entry] of packages) {
      const integrity = sectionOf(entry, 'integrity', 'inBundle')
      t.ok(Object.keys(integrity).length > 0, `${name} has its integrity`)
    }
  })

  void t.test(`dependencies of ${folder}: exact versions`, async (t) => {
    const manifest: unknown = JSON.parse(
      readFileSync(path.join(root, folder, 'package.json'), 'utf8'),
    )
    for (const kind of ['dependencies', 'devDependencies', 'optionalDependencies']) {
      for (const [name, version] of Object.entries(sectionOf(manifest, kind))) {
        t.match(String(version), /^(npm:[a-z0-9-]+@)?\d+\.\d+\.\d+$/, `${name} ${String(version)}`)
      }
    }
    t.match(readFileSync(path.join(root, folder, '.npmrc'), 'utf8'), /^save-exact=true$/m)
  })
}

/** An object's member that is an object, else the members among `keys` themselves. */
function sectionOf(value: unknown, ...keys: readonly string[]): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null) return {}
  const found = Object.entries(value).filter(([key]) => keys.includes(key))
  const [, first] = found[0] ?? []
  return typeof first === 'object' && first !== null
    ? Object.fromEntries(Object.entries(first))
    : Object.fromEntries(found)
}

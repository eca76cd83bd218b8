import t from 'tap'
import type { Lane } from '../../src/settings/settings.ts'
import { entryPaths } from './entry-paths.ts'
import { hostSpellings } from './host-spellings.ts'
import { violation } from './invariant.ts'
import { startWorld } from './world.ts'

/**
 * However a host is spelled, on whatever path: it is refused, or what is dialled is the name that a rule allows, and
 * nothing is resolved or dialled before. Smokescreen CVE-2022-24825 and CVE-2022-29188, sandbox-runtime's NUL and zone,
 * tinyproxy CVE-2025-63938 and #627.
 */

for (const lane of ['relay', 'library'] as const satisfies readonly Lane[]) {
  void t.test(`${lane}: a host is refused, or is the one that a rule allows`, async (t) => {
    const world = await startWorld(t, { lane })
    for (const path of entryPaths) {
      const port = path.port === 0 ? world.public : path.port
      const wrong: string[] = []
      const spellings = hostSpellings(path, port)
      for (const { note, authority, want } of spellings) {
        const told = await path.tell(world, authority)
        const arrivesAs = path.arrivesAs(world)
        const found = violation(world.events, told, { ...path, arrivesAs, port, want })
        if (found !== undefined) wrong.push(`${note}: ${found}`)
      }
      t.strictSame(wrong, [], `${path.title}: ${spellings.length} spellings`)
    }
    await world.settle()
  })
}

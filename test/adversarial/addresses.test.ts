import t from 'tap'
import type { Lane } from '../../src/settings/settings.ts'
import { addressAnswers, addressForms } from './address-forms.ts'
import { entryPaths } from './entry-paths.ts'
import { violation, type Want } from './invariant.ts'
import { allowedAddress, startWorld, type World } from './world.ts'

/**
 * An address that is not public is not dialled, however it is written and whoever gave it: not as a literal, even where
 * a resource is still learning and every name is let through, and not as the answer of a name that a rule allows.
 * CVE-2021-28918, CVE-2023-42282, CVE-2024-29415, CVE-2020-28360 (IPv4 in other notations), CVE-2024-24790,
 * CVE-2026-33480, CVE-2026-44492, CVE-2026-48782 (IPv4 inside IPv6), CVE-2026-26310 (a zone), smokescreen #265 and #277.
 */

const outward = entryPaths.filter(({ leadsTo }) => leadsTo === 'outside')
const lanes = ['relay', 'library'] as const satisfies readonly Lane[]

for (const lane of lanes) {
  void t.test(`${lane}: a literal is not dialled, even while everything is learned`, async (t) => {
    const world = await startWorld(t, { lane, accessMode: 'Learning' })
    const forms = addressForms()
    for (const path of outward) {
      const wrong: string[] = []
      for (const { note, host } of forms) {
        const found = await judge(world, path, {
          authority: `${host}:${path.port}`,
          want: 'refused',
        })
        if (found !== undefined) wrong.push(`${note}: ${found}`)
      }
      t.strictSame(wrong, [], `${path.title}: ${forms.length} forms`)
    }
    for (const path of outward.filter(({ arrivesAs }) => arrivesAs(world) === undefined)) {
      const authority = `${allowedAddress}:${path.port}`
      t.equal(await judge(world, path, { authority, want: 'served' }), undefined, 'a public one is')
    }
    await world.settle()
  })

  void t.test(`${lane}: an answer is not dialled`, async (t) => {
    const world = await startWorld(t, { lane })
    const answers = addressAnswers()
    for (const path of outward) {
      const wrong: string[] = []
      const authority = `${path.name}:${path.port}`
      for (const [index, answer] of answers.entries()) {
        const beside = index % 2 === 0 ? [answer, allowedAddress] : [allowedAddress, answer]
        // Every third is enough: what is beside it does not depend on what it is.
        for (const addresses of index % 3 === 0 ? [[answer], beside] : [[answer]]) {
          world.answer(addresses)
          const want = addresses.length === 1 ? 'guarded' : 'served'
          const found = await judge(world, path, { authority, want })
          if (found !== undefined) wrong.push(`${addresses.join(', ')}: ${found}`)
        }
      }
      t.strictSame(wrong, [], `${path.title}: ${answers.length} answers`)
    }
    await world.settle()
  })

  void t.test(
    `${lane}: a name that answers differently each time is vetted each time`,
    async (t) => {
      const world = await startWorld(t, { lane })
      for (const path of outward) {
        const wrong: string[] = []
        for (let turn = 0; turn < 10; turn++) {
          const isPublic = turn % 2 === 0
          world.answer([isPublic ? allowedAddress : '169.254.169.254'])
          const authority = `${path.name}:${path.port}`
          const want = isPublic ? 'served' : 'guarded'
          const found = await judge(world, path, { authority, want })
          if (found !== undefined) wrong.push(`${turn}: ${found}`)
        }
        t.strictSame(wrong, [], path.title)
      }
      await world.settle()
    },
  )
}

async function judge(
  world: World,
  path: (typeof outward)[number],
  { authority, want }: { readonly authority: string; readonly want: Want },
): Promise<string | undefined> {
  const told = await path.tell(world, authority)
  return violation(world.events, told, { ...path, arrivesAs: path.arrivesAs(world), want })
}

import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parse } from 'yaml'
import { loadPerimeterFile } from '../../src/store/load-perimeters.ts'
import { guid, resourceId, testSubscription } from '../support/settings-parts.ts'
import type { Check, Teardown } from './compare-requests.ts'
import { bendMaybe, type Dice } from './grammar.ts'

const rules = [
  '{ name: office, direction: Inbound, addressPrefixes: [203.0.113.0/24] }',
  '{ name: office6, direction: Inbound, addressPrefixes: ["2001:db8::/32", 192.0.2.1/32] }',
  '{ name: partner, direction: Inbound, subscriptions: [{ id: /subscriptions/22222222-2222-2222-2222-222222222222 }] }',
  '{ name: api, direction: Outbound, fullyQualifiedDomainNames: [api.example, "*.vault.example"] }',
  '{ name: empty, direction: Inbound, addressPrefixes: [] }',
] as const

/** A perimeter file, almost: native YAML, or the same as JSON. */
export function makeDocument(dice: Dice): string {
  const chosen = Array.from({ length: 1 + dice.roll(3) }, () => `      - ${dice.pick(rules)}`)
  const mode = dice.pick([
    '',
    ', accessMode: Enforced',
    ', accessMode: Learning',
    ', accessMode: Audit',
  ])
  const text = [
    'name: shop',
    `subscriptionId: ${testSubscription}`,
    'resourceGroup: shop',
    'location: local',
    'profiles:',
    '  - name: web',
    '    accessRules:',
    ...chosen,
    'resourceAssociations:',
    `  - { name: orders, privateLinkResource: { id: orders }, profile: { id: web }${mode} }`,
    '',
  ].join('\n')
  if (!dice.isRare(2)) return bendMaybe(dice, text)
  return bendMaybe(dice, JSON.stringify(parse(text)))
}

/**
 * A file is loaded or its problems are told, in either case without a fault; and what is loaded is what stands there: no
 * name, subscription or prefix that nobody wrote, no more rules than were written, no other mode.
 */
export async function startDocumentCheck(t: Teardown): Promise<Check> {
  const folder = await mkdtemp(join(tmpdir(), 'ringfence-fuzz-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  let id = 0
  const scope = { subscriptionId: guid(testSubscription), resourceGroup: 'shop' }
  const resources = { ids: [resourceId('orders')], areAll: true }
  return async (text, trial) => {
    const file = join(folder, `${++id}.yaml`)
    await writeFile(file, Buffer.from(text, 'latin1'))
    try {
      const { perimeters, findings } = await loadPerimeterFile(file, {
        scope,
        resources,
        serviceTags: 'no-file',
      })
      if (findings.hasErrors || perimeters.some((one) => one.findings.hasErrors)) return undefined
      trial.isWhole = true
      if (perimeters.length === 0) return 'it holds nothing, and nobody is told'
      return notWritten(
        perimeters.map(({ perimeter }) => perimeter),
        text,
      )
    } catch (error) {
      return `a fault: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`
    } finally {
      await rm(file)
    }
  }
}

type Perimeter = Awaited<ReturnType<typeof loadPerimeterFile>>['perimeters'][number]['perimeter']

function notWritten(perimeters: readonly Perimeter[], text: string): string | undefined {
  const written = new Set<string>()
  const objects = collect(parse(text, { logLevel: 'silent' }), written)
  const has = (part: string): boolean =>
    [...written].some((one) => one.includes(part.toLowerCase()))
  for (const { profiles, associations } of perimeters) {
    const all = profiles.flatMap(({ accessRules }) => accessRules)
    if (all.length > objects) return `${all.length} rules of ${objects} objects`
    for (const rule of all) {
      const texts = [...rule.fullyQualifiedDomainNames, ...rule.subscriptions]
      const missing = texts.find((one) => !has(one))
      if (missing !== undefined) return `nobody wrote ${missing}`
      const open = rule.addressPrefixes.find(
        ({ length }) => !has(`/${length}`) && length !== 32 && length !== 128,
      )
      if (open !== undefined) return `nobody wrote /${open.length}`
    }
    for (const { accessMode } of associations) {
      if (accessMode !== 'Learning' && !has(accessMode)) return `nobody wrote ${accessMode}`
    }
  }
  return undefined
}

/** Every text in it, in lower case; how many objects it has. */
function collect(value: unknown, texts: Set<string>): number {
  if (Array.isArray(value))
    return value.reduce<number>((sum, item) => sum + collect(item, texts), 0)
  if (typeof value === 'object' && value !== null) {
    return Object.entries(value).reduce((sum, [key, item]) => sum + collect([key, item], texts), 1)
  }
  texts.add(String(value).toLowerCase())
  return 0
}

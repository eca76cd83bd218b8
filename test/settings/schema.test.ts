import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Ajv } from 'ajv'
import t from 'tap'
import { generatedFiles } from '../../scripts/generate-schemas.ts'
import { toJsonSchema } from '../../src/documents/json-schema.ts'
import { createFindings } from '../../src/documents/findings.ts'
import { validateShape } from '../../src/documents/validate-shape.ts'
import { settingsShape } from '../../src/settings/schema.ts'
import { perimeterShape } from '../../src/store/schema.ts'
import { hours, KiB, MiB, minutes, seconds } from '../../src/units.ts'

for (const { path, text } of generatedFiles()) {
  void t.test(`${path} is what \`npm run generate\` writes`, async (t) => {
    const written = await readFile(join(import.meta.dirname, '..', '..', path), 'utf8')
    t.equal(written, text)
  })
}

for (const [name, shape] of Object.entries({ settingsShape, perimeterShape })) {
  void t.test(
    `toJsonSchema: ${name} fits the meta-schema, which the product does not ask`,
    async (t) => {
      t.equal(new Ajv({ strict: true }).validateSchema(toJsonSchema(shape)), true)
    },
  )
}

void t.test('settingsShape: the smallest settings have every default', (t) => {
  const findings = createFindings(() => ({ file: 'f', line: 1, column: 1 }))
  const data = { policy: { files: ['p.yaml'] } }
  const value = validateShape(settingsShape, data, { findings, unknownKeys: 'error' })?.value
  t.same(findings.problems, [])
  t.match(value, {
    limits: {
      headerBytes: 16 * KiB,
      headerCount: 100,
      connections: 20_000,
      concurrentStreams: 100,
      tunnelsPerResource: 10_000,
    },
    timeouts: {
      headerMs: seconds(10),
      keepAliveMs: seconds(60),
      bodyIdleMs: seconds(60),
      connectMs: seconds(5),
      dnsMs: seconds(5),
      tunnelIdleMs: minutes(5),
      tunnelLifetimeMs: hours(24),
      drainMs: seconds(30),
    },
    audit: {
      file: '-',
      endLineAfterMs: seconds(10),
      flushIntervalMs: 100,
      bufferBytes: 16 * MiB,
      onFailure: 'deny',
    },
    egress: { ports: [80, 443] },
    identity: {
      headers: {
        subscription: 'x-nsp-subscription-id',
        perimeter: 'x-nsp-perimeter-id',
        resource: 'x-nsp-resource-id',
      },
    },
  })
  t.same(data, { policy: { files: ['p.yaml'] } }, 'the data itself stays as it was')
  t.end()
})

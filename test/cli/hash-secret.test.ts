import t from 'tap'
import { runHashSecret } from '../../src/cli/commands/hash-secret.ts'
import { isSecret } from '../../src/identity/verify-secret.ts'
import { parseSecretHash } from '../../src/perimeter/secret-hash.ts'

async function run(...input: readonly string[]) {
  let out = ''
  let err = ''
  const exitCode = await runHashSecret({
    input: (async function* () {
      yield* input
    })(),
    out: (text) => (out += text),
    err: (text) => (err += text),
  })
  return { exitCode, out, err }
}

void t.test('runHashSecret prints the hash of the first line', async (t) => {
  for (const input of [['correct horse\nsecond'], ['correct ', 'horse\r\n'], ['correct horse']]) {
    const { exitCode, out, err } = await run(...input)
    t.strictSame([exitCode, err], [0, ''])
    const stored = parseSecretHash(out.trimEnd())
    if (stored === undefined) throw new Error(out)
    t.equal(await isSecret(Buffer.from('correct horse'), stored), true)
  }
})

void t.test('runHashSecret wants a secret that is worth one', async (t) => {
  for (const input of [[], [''], ['short\n'], ['\ncorrect horse\n'], [`${'x'.repeat(513)}\n`]]) {
    const { exitCode, out, err } = await run(...input)
    t.equal(exitCode, 2)
    t.equal(out, '')
    t.equal(err, 'ringfence: write a secret of 12 to 512 bytes to standard input\n')
  }
})

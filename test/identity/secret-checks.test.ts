import t from 'tap'
import {
  createSecretChecks,
  type SecretQuestion,
  sharedSecretChecks,
} from '../../src/identity/secret-checks.ts'
import type { SecretHash } from '../../src/perimeter/secret-hash.ts'

const salt = 'c2FsdHNhbHRzYWx0'
const stored = `$scrypt$ln=14,r=8,p=1$${salt}$${'A'.repeat(43)}`
const rotated = `$scrypt$ln=14,r=8,p=1$${salt}$${'B'.repeat(43)}`
const likeness = `$scrypt$ln=14,r=8,p=1$${salt}$${'C'.repeat(43)}`

function question(secret: string, more: Partial<SecretQuestion> = {}): SecretQuestion {
  return {
    presented: `orders:${secret}`,
    credentials: { user: 'orders', secret: Buffer.from(secret) },
    stored,
    likeness,
    peer: '192.0.2.1',
    ...more,
  }
}

/** Each derivation waits until it is let go; `right` is the secret of every hash. */
function heldChecks() {
  const derived: { readonly secret: string; readonly text: string; go(): void }[] = []
  let started: (() => void) | undefined
  const checks = createSecretChecks((secret: Buffer, hash: SecretHash) => {
    const text = secret.toString()
    if (text === 'fault') return Promise.reject(new Error('no memory'))
    return new Promise((resolve) => {
      derived.push({ secret: text, text: hash.text, go: () => resolve(text === 'right') })
      started?.()
    })
  })
  const next = async (count: number): Promise<void> => {
    while (derived.length < count) await new Promise<void>((resolve) => (started = resolve))
  }
  return { checks, derived, next }
}

void t.test('createSecretChecks answers at once what it was asked before', async (t) => {
  const { checks, derived, next } = heldChecks()
  for (const [secret, answer] of [
    ['right', 'right'],
    ['wrong', 'wrong'],
  ] as const) {
    const first = checks.check(question(secret))
    t.type(first, Promise, secret)
    await next(derived.length + 1)
    derived.at(-1)?.go()
    t.equal(await first, answer)
    t.equal(checks.check(question(secret)), answer, 'again')
  }
  t.equal(derived.length, 2)
})

void t.test('createSecretChecks forgets an answer with the hash that it was for', async (t) => {
  const { checks, derived, next } = heldChecks()
  for (const [index, hash] of [stored, rotated].entries()) {
    const answer = checks.check(question('right', { stored: hash }))
    await next(index + 1)
    derived.at(-1)?.go()
    t.equal(await answer, 'right')
    t.equal(derived.at(-1)?.text, hash)
  }
  t.type(checks.check(question('right', { stored: undefined })), Promise, 'the user is gone')
  await next(3)
  derived.at(-1)?.go()
})

void t.test('createSecretChecks: an unknown user costs as much and is never right', async (t) => {
  const { checks, derived, next } = heldChecks()
  const unknown = question('right', { stored: undefined })
  const answer = checks.check(unknown)
  await next(1)
  t.equal(derived[0]?.text, likeness)
  derived[0]?.go()
  t.equal(await answer, 'wrong')
  t.equal(checks.check(unknown), 'wrong')
  t.type(checks.check(question('right', { stored: likeness })), Promise, 'not what it was asked')
  await next(2)
  derived[1]?.go()
})

void t.test('createSecretChecks works on one at a time, and the same only once', async (t) => {
  const { checks, derived, next } = heldChecks()
  const answers = ['wrong', 'right', 'right'].map((secret) => checks.check(question(secret)))
  t.equal(answers[1], answers[2])
  await next(1)
  await new Promise((resolve) => setImmediate(resolve))
  t.equal(derived.length, 1)
  derived[0]?.go()
  await next(2)
  derived[1]?.go()
  t.strictSame(await Promise.all(answers.map(async (answer) => answer)), [
    'wrong',
    'right',
    'right',
  ])
  t.equal(derived.length, 2)
})

void t.test(
  'createSecretChecks: who tries out secrets waits, and others do not wait for long',
  async (t) => {
    const { checks, derived, next } = heldChecks()
    const asked: (string | Promise<string>)[] = []
    const ask = (secret: string, peer: string): string | Promise<string> => {
      const answer = checks.check(question(secret, { peer }))
      asked.push(answer)
      return answer
    }
    for (let index = 0; index < 100; index++) void ask(`guess-${index}`, '192.0.2.1')
    t.equal(asked.filter((answer) => answer === 'busy').length, 92)
    const honest = ask('right', '192.0.2.2')
    t.not(honest, 'busy')
    for (let peer = 3; peer < 100; peer++) void ask(`other-${peer}`, `192.0.2.${peer}`)
    t.equal(asked.filter((answer) => answer !== 'busy').length, 32, 'all together')
    for (let index = 0; index < 32; index++) {
      await next(index + 1)
      derived[index]?.go()
    }
    t.equal(await honest, 'right')
    t.type(ask('guess', '192.0.2.1'), Promise, 'there is room again')
    await next(33)
    derived[32]?.go()
  },
)

void t.test('createSecretChecks: wrong secrets push out no right one', async (t) => {
  const checks = createSecretChecks((secret) => Promise.resolve(secret.toString() === 'right'))
  t.equal(await checks.check(question('right')), 'right')
  for (let index = 0; index < 2000; index++) await checks.check(question(`guess-${index}`))
  t.equal(checks.check(question('right')), 'right')
  t.type(checks.check(question('guess-0')), Promise, 'those are bounded')
})

void t.test('createSecretChecks: what cannot be verified is wrong', async (t) => {
  const { checks } = heldChecks()
  t.equal(await checks.check(question('fault')), 'wrong')
  t.equal(await checks.check(question('right', { stored: 'no hash' })), 'wrong')
})

void t.test('sharedSecretChecks are one for all', (t) => {
  t.equal(sharedSecretChecks(), sharedSecretChecks())
  t.end()
})

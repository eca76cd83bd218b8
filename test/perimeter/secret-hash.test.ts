import t from 'tap'
import { memoryOf, parseSecretHash } from '../../src/perimeter/secret-hash.ts'
import { KiB, MiB } from '../../src/units.ts'

const salt = 'c2FsdHNhbHRzYWx0'
const hash = 'A'.repeat(43)

void t.test('parseSecretHash reads what stands in it', (t) => {
  const text = `$scrypt$ln=14,r=8,p=1$${salt}$${hash}`
  const parsed = parseSecretHash(text)
  t.match(parsed, { text, costLog2: 14, blockSize: 8, parallelization: 1 })
  t.equal(parsed?.salt.toString(), 'saltsaltsalt')
  t.equal(parsed?.hash.length, 32)
  t.end()
})

void t.test('parseSecretHash takes nothing else, and nothing beyond its bounds', (t) => {
  const cases = [
    { note: 'a secret', text: 'correct horse battery staple' },
    { note: 'nothing', text: '' },
    { note: 'another function', text: `$argon2id$ln=14,r=8,p=1$${salt}$${hash}` },
    { note: 'too cheap', text: `$scrypt$ln=11,r=8,p=1$${salt}$${hash}` },
    { note: 'too dear', text: `$scrypt$ln=16,r=8,p=1$${salt}$${hash}` },
    { note: 'blocks too large', text: `$scrypt$ln=14,r=32,p=1$${salt}$${hash}` },
    { note: 'no cost', text: `$scrypt$ln=0,r=8,p=1$${salt}$${hash}` },
    { note: 'a leading zero', text: `$scrypt$ln=014,r=8,p=1$${salt}$${hash}` },
    { note: 'no salt', text: `$scrypt$ln=14,r=8,p=1$$${hash}` },
    { note: 'a short salt', text: `$scrypt$ln=14,r=8,p=1$${'A'.repeat(10)}$${hash}` },
    { note: 'a short hash', text: `$scrypt$ln=14,r=8,p=1$${salt}$${'A'.repeat(21)}` },
    { note: 'padding', text: `$scrypt$ln=14,r=8,p=1$${salt}$${hash}=` },
    { note: 'something behind', text: `$scrypt$ln=14,r=8,p=1$${salt}$${hash} ` },
    { note: 'a line behind', text: `$scrypt$ln=14,r=8,p=1$${salt}$${hash}\n` },
  ]
  for (const { note, text } of cases) t.equal(parseSecretHash(text), undefined, note)
  t.ok(parseSecretHash(`$scrypt$ln=12,r=8,p=1$${salt}$${hash}`), 'the cheapest')
  t.ok(parseSecretHash(`$scrypt$ln=15,r=8,p=2$${salt}$${hash}`), 'a dear one')
  t.end()
})

void t.test('memoryOf is what RFC 7914 says', (t) => {
  t.equal(memoryOf({ costLog2: 14, blockSize: 8, parallelization: 1 }), 16 * MiB + KiB)
  t.end()
})

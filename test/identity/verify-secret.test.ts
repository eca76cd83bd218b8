import t from 'tap'
import { hashSecret, isSecret } from '../../src/identity/verify-secret.ts'
import { parseSecretHash } from '../../src/perimeter/secret-hash.ts'

void t.test('isSecret knows the secret of a hash, and no other', async (t) => {
  const text = await hashSecret(Buffer.from('correct horse'))
  const stored = parseSecretHash(text)
  if (stored === undefined) throw new Error(`no hash: ${text}`)
  t.equal(await isSecret(Buffer.from('correct horse'), stored), true)
  for (const other of ['correct hors', 'correct horse ', 'Correct horse', '']) {
    t.equal(await isSecret(Buffer.from(other), stored), false, other)
  }
  t.not(await hashSecret(Buffer.from('correct horse')), text, 'each has a salt of its own')
})

void t.test('isSecret agrees with RFC 7914 12', async (t) => {
  // The third vector: "pleaseletmein", N 16384, r 8, p 1, 64 bytes.
  const salt = Buffer.from('SodiumChloride').toString('base64').replace(/=+$/, '')
  const hash = Buffer.from(
    '7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2' +
      'd5432955613f0fcf62d49705242a9af9e61e85dc0d651e40dfcf017b45575887',
    'hex',
  )
  const text = `$scrypt$ln=14,r=8,p=1$${salt}$${hash.toString('base64').replace(/=+$/, '')}`
  const stored = parseSecretHash(text)
  if (stored === undefined) throw new Error(`no hash: ${text}`)
  t.equal(await isSecret(Buffer.from('pleaseletmein'), stored), true)
})

import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto'
import { memoryOf, type SecretHash } from '../perimeter/secret-hash.ts'

/** 16 MiB and some 40 ms for each secret that was not seen before. */
const usual = { costLog2: 14, blockSize: 8, parallelization: 1 }
const saltBytes = 16
const hashBytes = 32

/** A hash to write into settings, with a salt of its own. */
export async function hashSecret(secret: Buffer): Promise<string> {
  const salt = randomBytes(saltBytes)
  const hash = await derive(secret, { ...usual, salt, length: hashBytes })
  const { costLog2, blockSize, parallelization } = usual
  return `$scrypt$ln=${costLog2},r=${blockSize},p=${parallelization}$${unpadded(salt)}$${unpadded(hash)}`
}

/** Whether it is the secret. Works on another thread, and compares in constant time. */
export async function isSecret(secret: Buffer, stored: SecretHash): Promise<boolean> {
  const derived = await derive(secret, { ...stored, length: stored.hash.length })
  return timingSafeEqual(derived, stored.hash)
}

function derive(
  secret: Buffer,
  given: Pick<SecretHash, 'costLog2' | 'blockSize' | 'parallelization' | 'salt'> & {
    readonly length: number
  },
): Promise<Buffer> {
  const { costLog2, blockSize, parallelization, salt, length } = given
  const options = {
    N: 2 ** costLog2,
    r: blockSize,
    p: parallelization,
    maxmem: 2 * memoryOf(given),
  }
  return new Promise((resolve, reject) => {
    scrypt(secret, salt, length, options, (error, derived) => {
      if (error === null) resolve(derived)
      else reject(error)
    })
  })
}

function unpadded(bytes: Buffer): string {
  return bytes.toString('base64').replace(/=+$/, '')
}

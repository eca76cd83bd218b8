import { MiB } from '../units.ts'

/**
 * A secret as settings keep it: `$scrypt$ln=14,r=8,p=1$SALT$HASH` (RFC 7914, in the PHC string format; Base64 without
 * padding). Its parameters stand in it, so that they may change without a change of what is stored already.
 */
export interface SecretHash {
  readonly text: string
  readonly costLog2: number
  readonly blockSize: number
  readonly parallelization: number
  readonly salt: Buffer
  readonly hash: Buffer
}

const layout =
  /^\$scrypt\$ln=([1-9][0-9]?),r=([1-9][0-9]?),p=([1-9])\$([A-Za-z0-9+/]{11,86})\$([A-Za-z0-9+/]{22,86})$/

/** What is cheaper protects nothing, and what is dearer lets one wrong secret hold up everybody else. */
const bounds = { leastCostLog2: 12, mostMemory: 64 * MiB }

/** Undefined for anything else than a hash within bounds. */
export function parseSecretHash(text: string): SecretHash | undefined {
  const [, costLog2 = '', blockSize = '', parallelization = '', salt = '', hash = ''] =
    layout.exec(text) ?? []
  const parsed: SecretHash = {
    text,
    costLog2: Number(costLog2),
    blockSize: Number(blockSize),
    parallelization: Number(parallelization),
    salt: Buffer.from(salt, 'base64'),
    hash: Buffer.from(hash, 'base64'),
  }
  const isWithin = parsed.costLog2 >= bounds.leastCostLog2 && memoryOf(parsed) <= bounds.mostMemory
  return isWithin ? parsed : undefined
}

/** Bytes that it takes to derive one (RFC 7914 6): the vector and the blocks. */
export function memoryOf({
  costLog2,
  blockSize,
  parallelization,
}: Pick<SecretHash, 'costLog2' | 'blockSize' | 'parallelization'>): number {
  return 128 * blockSize * (2 ** costLog2 + parallelization)
}

import {
  encrypted,
  extension,
  helloMessage,
  inRecords,
  serverNames,
  usual,
  vector,
} from '../support/client-hello.ts'
import type { Dice } from './grammar.ts'

/** ClientHellos that a server understands, with names that are odd, and then bent in a place or two. Latin-1. */
export function makeHello(dice: Dice): string {
  const extensions = [...usual, keyShare]
  const lists = dice.pick([1, 1, 1, 1, 0, 2])
  for (let list = 0; list < lists; list++) {
    const at = dice.roll(extensions.length + 1)
    extensions.splice(at, 0, makeNames(dice))
  }
  if (dice.isRare(6)) extensions.splice(dice.roll(extensions.length + 1), 0, encrypted)
  if (dice.isRare(8)) extensions.push(extension(dice.roll(65_536), Buffer.alloc(dice.roll(300))))
  const message = helloMessage({ extensions })
  const bytes = inRecords(message, dice.pick([16_384, 16_384, 1, 4, 40, 1 + dice.roll(300)]))
  for (let bends = dice.pick([0, 0, 1, 1, 2]); bends > 0; bends--) bend(bytes, dice)
  const length = dice.isRare(12) ? dice.roll(bytes.length) : bytes.length
  return bytes.toString('latin1', 0, length)
}

/** X25519; its point may be any. */
const keyShare = extension(
  51,
  vector(2, Buffer.concat([Buffer.from([0, 29]), vector(2, Buffer.alloc(32, 9))])),
)

function makeNames(dice: Dice): Buffer {
  const names = Array.from({ length: dice.pick([1, 1, 1, 1, 1, 1, 0, 2]) }, () =>
    Buffer.from(
      dice.pick([
        'api.example',
        'api.example',
        'evil.example',
        'API.Example',
        'a_b.example',
        'api.example.',
        'api.example\0.evil.example',
        '192.0.2.1',
        '::1',
        'x',
        '*.example',
        'caf\xe9.example',
        '',
      ]),
      'latin1',
    ),
  )
  return serverNames(...names)
}

/** Another byte for one, mostly in front, where the lengths are. */
function bend(bytes: Buffer, dice: Dice): void {
  const at = dice.roll(dice.isRare(2) ? bytes.length : Math.min(bytes.length, 160))
  const byte = bytes[at] ?? 0
  bytes[at] = dice.pick([byte + 1, byte - 1, 0, 1, 255, dice.roll(256)]) & 0xff
}

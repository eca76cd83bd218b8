import { readProxyHeader } from '../../src/wire/proxy-protocol.ts'
import { ipv4Addresses, linkIdTlv, version2Header } from '../support/proxy-header.ts'
import type { Check } from './compare-requests.ts'
import { bendMaybe, type Dice } from './grammar.ts'

/** Headers of the PROXY protocol, almost, with what a client says behind them. */
export function makeProxyHeader(dice: Dice): string {
  const behind = dice.pick(['', 'GET / HTTP/1.1\r\n', '\r\n', '\0'])
  if (dice.isRare(2)) {
    const line = dice.pick([
      'PROXY TCP4 192.0.2.7 198.51.100.1 50000 443',
      'PROXY TCP6 2001:db8::7 2001:db8::1 50000 443',
      'PROXY UNKNOWN',
      'PROXY UNKNOWN a b 1 2',
      'PROXY TCP4 0192.0.2.7 198.51.100.1 050000 443',
      'PROXY TCP6 ::ffff:192.0.2.7 ::1 0 0',
    ])
    return bendMaybe(dice, `${line}\r\n`) + behind
  }
  const header = version2Header({
    command: dice.pick([0x21, 0x21, 0x20, 0x22, 0x11]),
    family: dice.pick([0x11, 0x11, 0x21, 0x31, 0x00, 0x12]),
    addresses: dice.isRare(3)
      ? Buffer.alloc(dice.roll(240), 1)
      : ipv4Addresses('192.0.2.7', 50_000),
    tlvs: Array.from({ length: dice.roll(4) }, () =>
      dice.isRare(2)
        ? linkIdTlv(dice.roll(1000))
        : ([dice.roll(256), Buffer.alloc(dice.roll(9))] as const),
    ),
  })
  return bendMaybe(dice, header.toString('latin1')) + behind
}

/** Where it is cut makes no difference, what is behind it none either, and it is as long as it says. */
export function startProxyHeaderCheck(): Check {
  return async (text, trial) => {
    const bytes = Buffer.from(text, 'latin1')
    const whole = readProxyHeader(bytes)
    for (let length = 0; length < bytes.length; length++) {
      const part = readProxyHeader(bytes.subarray(0, length))
      if (part === 'incomplete') continue
      if (JSON.stringify(part) !== JSON.stringify(whole)) {
        return `${JSON.stringify(part)} of ${length} bytes, ${JSON.stringify(whole)} of all`
      }
      break
    }
    if (typeof whole === 'string') return undefined
    trial.isWhole = true
    const { header, length } = whole
    if (length > bytes.length) return `it is longer than what has come: ${length}`
    if (header.kind === 'local') return bytes[12] === 0x20 ? undefined : 'nobody said LOCAL'
    const { address, port, linkId } = header
    if (linkId !== undefined && !hasBytes(bytes, [1, linkId & 0xff])) return `nobody said ${linkId}`
    if (address === undefined) return port === undefined ? undefined : 'a port without an address'
    return text.startsWith('PROXY ')
      ? sayingOf(text.slice(0, length), { address: address.text, port })
      : binaryOf(bytes, { bytes: address.bytes, port })
  }
}

/** Version 1 by splitting. */
function sayingOf(
  line: string,
  { address, port }: { readonly address: string; readonly port: number | undefined },
): string | undefined {
  const [, family, source = '', , sourcePort] = line.trimEnd().split(' ')
  const isSame =
    source.toLowerCase() === address ||
    (/:(?:0*:)*ffff:[0-9.]+$/i.test(source) && source.endsWith(`:${address}`))
  const isShort = family === 'TCP6' && source.includes(':') && address.includes(':')
  if (!isSame && !isShort) return `${address} was read in ${line}`
  return String(port) === sourcePort ? undefined : `${port} was read in ${line}`
}

/** Version 2 by offset: the source is first, mapped or not, and both ports are last. */
function binaryOf(
  bytes: Buffer,
  { bytes: address, port }: { readonly bytes: Uint8Array; readonly port: number | undefined },
): string | undefined {
  const isIpv6 = bytes[13] === 0x21
  const size = isIpv6 ? 16 : 4
  const at = isIpv6 && address.length === 4 ? 28 : 16
  if (!bytes.subarray(at, at + address.length).equals(address)) return 'another address was read'
  return bytes.readUInt16BE(16 + 2 * size) === port ? undefined : 'another port was read'
}

function hasBytes(bytes: Buffer, part: readonly number[]): boolean {
  return bytes.includes(Buffer.from(part))
}

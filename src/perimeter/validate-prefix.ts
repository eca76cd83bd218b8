import { isPrefix, parsePrefix, type Prefix } from '../wire/address.ts'
import { type Checked, invalid, valid } from './checked.ts'
import { quote } from './quote.ts'

/** A prefix as an administrator wrote it. Host bits are refused, not cleared: one of the two numbers is a mistake. */
export function validatePrefix(text: string): Checked<Prefix> {
  const parsed = parsePrefix(text)
  if (isPrefix(parsed)) return valid(parsed)
  const written = quote(text)
  switch (parsed.kind) {
    case 'not-a-prefix':
      return invalid(
        `${written} is not an address prefix; write it like \`203.0.113.0/24\` or \`2001:db8::/32\``,
      )
    case 'host-bits':
      return invalid(`${written} has host bits set; the network is \`${parsed.network}\``)
    case 'mapped': {
      const advice = parsed.ipv4 === undefined ? 'the IPv4 prefix itself' : `\`${parsed.ipv4}\``
      return invalid(`${written} is IPv4-mapped, which is judged as IPv4; write ${advice}`)
    }
  }
}

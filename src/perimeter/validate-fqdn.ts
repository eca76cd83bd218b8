import { parseAddress } from '../wire/address.ts'
import { type NamePattern, parseNamePattern } from '../wire/hostname.ts'
import { type Checked, invalid, valid } from './checked.ts'
import { quote } from './quote.ts'

/** An element of `fullyQualifiedDomainNames`: an exact name, or one leading `*.` over at least two labels. */
export function validateFqdn(text: string): Checked<NamePattern> {
  const pattern = parseNamePattern(text)
  return pattern === undefined ? invalid(describe(text)) : valid(pattern)
}

function describe(text: string): string {
  const written = quote(text)
  if (text.includes('://')) return `${written} is a URL; write the name alone`
  if (text.includes('*')) {
    return `${written} is no name; a wildcard is one leading \`*.\` over at least two labels, like \`*.vault.example\``
  }
  if (parseAddress(text.replace(/^\[|\]$/g, '')) !== undefined) {
    return `${written} is an IP address, which no FQDN rule matches; write a name`
  }
  if (/:[0-9]+$/.test(text))
    return `${written} has a port; \`egress.ports\` says which ports rules cover`
  if (text.endsWith('.')) return `${written} ends in a dot; write it without`
  if (/[^\u0020-\u007e]/.test(text)) return `${written} is not ASCII; write the \`xn--\` form`
  return `${written} is no fully qualified domain name; write it like \`api.example.com\``
}

import t from 'tap'
import type { Checked } from '../../src/perimeter/checked.ts'
import { validateFqdn } from '../../src/perimeter/validate-fqdn.ts'
import { validatePrefix } from '../../src/perimeter/validate-prefix.ts'
import { validateSubscriptionId } from '../../src/perimeter/validate-subscription.ts'

interface Row {
  readonly text: string
  /** What is read, or a part of what is said. */
  readonly want: string | RegExp
}

const prefixes: readonly Row[] = [
  { text: '203.0.113.0/24', want: '203.0.113.0/24' },
  { text: '203.0.113.7', want: '203.0.113.7/32' },
  { text: '0.0.0.0/0', want: '0.0.0.0/0' },
  { text: '2001:DB8::/32', want: '2001:db8::/32' },
  { text: '::1', want: '::1/128' },
  { text: '203.0.113.7/24', want: /host bits set; the network is `203\.0\.113\.0\/24`/ },
  { text: '::ffff:203.0.113.0/120', want: /judged as IPv4; write `203\.0\.113\.0\/24`/ },
  { text: '::ffff:0.0.0.0/95', want: /write the IPv4 prefix itself/ },
  { text: '10/8', want: /is not an address prefix/ },
  { text: '10.0.0.0/', want: /is not an address prefix/ },
  { text: '10.0.0.0/33', want: /is not an address prefix/ },
  { text: '10.0.0.0/8/8', want: /is not an address prefix/ },
  { text: '010.0.0.0/8', want: /is not an address prefix/ },
  { text: '', want: /is not an address prefix/ },
]

const fqdns: readonly Row[] = [
  { text: 'API.Payments.Example', want: 'api.payments.example' },
  { text: '*.Vault.Example', want: '*.vault.example' },
  { text: '_dmarc.shop.example', want: '_dmarc.shop.example' },
  { text: '*', want: /a wildcard is one leading `\*\.` over at least two labels/ },
  { text: '*.example', want: /over at least two labels/ },
  { text: 'a.*.example', want: /over at least two labels/ },
  { text: 'https://a.example', want: /is a URL/ },
  { text: 'a.example:443', want: /has a port/ },
  { text: '192.0.2.1', want: /is an IP address/ },
  { text: '[::1]', want: /is an IP address/ },
  { text: 'a.example.', want: /ends in a dot/ },
  { text: 'b\u00fccher.example', want: /is not ASCII/ },
  { text: '\u212aelvin.example', want: /is not ASCII/ },
  { text: 'a..example', want: /is no fully qualified domain name/ },
  { text: '', want: /is no fully qualified domain name/ },
]

const guid = '22222222-2222-2222-2222-22222222222a'
const subscriptions: readonly Row[] = [
  { text: `/subscriptions/${guid}`, want: guid },
  { text: `/Subscriptions/${guid.toUpperCase()}`, want: guid },
  { text: guid.toUpperCase(), want: new RegExp(`write \`/subscriptions/${guid}\``) },
  { text: '/subscriptions/partner', want: /write `\/subscriptions\/\{guid\}`/ },
  { text: `/subscriptions/${guid}/`, want: /is no subscription/ },
]

check('validatePrefix', prefixes, (text) => mapped(validatePrefix(text), (prefix) => prefix.text))
check('validateFqdn', fqdns, validateFqdn)
check('validateSubscriptionId', subscriptions, validateSubscriptionId)

function check(
  name: string,
  rows: readonly Row[],
  validate: (text: string) => Checked<string>,
): void {
  for (const { text, want } of rows) {
    void t.test(`${name}(${JSON.stringify(text)})`, (t) => {
      const checked = validate(text)
      if (typeof want === 'string') t.same(checked, { kind: 'valid', value: want })
      else t.match(checked, { kind: 'invalid', message: want })
      t.end()
    })
  }
}

function mapped<T, R>(checked: Checked<T>, map: (value: T) => R): Checked<R> {
  return checked.kind === 'valid' ? { kind: 'valid', value: map(checked.value) } : checked
}

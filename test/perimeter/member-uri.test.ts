import t from 'tap'
import { formatMemberUri, parseMemberUri } from '../../src/perimeter/member-uri.ts'

const guid = '7d0c2c1e-5a0f-4e0f-9a43-0d3a5a3f7b11'
const subscription = '11111111-1111-1111-1111-111111111111'
const path = `/subscriptions/${subscription}/resourceGroups/shop/providers/Ringfence.Local/services/orders`
const uri = `spiffe://${guid}${path}`

void t.test('parseMemberUri: the domain is the perimeter, the path the resource id', async (t) => {
  const member = parseMemberUri(uri)
  t.equal(member?.perimeter, guid)
  t.equal(member?.resource.text, path)
  t.equal(member?.resource.subscriptionId, subscription)
  t.equal(member && formatMemberUri(member), uri)
})

void t.test('parseMemberUri: whatever can be read in two ways is nobody', async (t) => {
  const cases: readonly { readonly note: string; readonly text: string }[] = [
    { note: 'empty', text: '' },
    { note: 'another scheme', text: uri.replace('spiffe', 'https') },
    { note: 'the scheme in capitals', text: uri.replace('spiffe', 'SPIFFE') },
    { note: 'the domain in capitals', text: uri.replace(guid, guid.toUpperCase()) },
    { note: 'a domain that is no GUID', text: uri.replace(guid, 'shop.example') },
    { note: 'a GUID without its form', text: uri.replace(guid, guid.replaceAll('-', '0')) },
    { note: 'a port', text: uri.replace(guid, `${guid}:443`) },
    { note: 'a user', text: uri.replace(guid, `a@${guid}`) },
    { note: 'no path', text: `spiffe://${guid}` },
    { note: 'an empty path', text: `spiffe://${guid}/` },
    { note: 'a path that is no resource id', text: `spiffe://${guid}/ns/shop/sa/orders` },
    { note: 'a slash at the end', text: `${uri}/` },
    { note: 'an empty segment', text: uri.replace('/shop', '//shop') },
    { note: 'a relative segment', text: uri.replace('/shop', '/..') },
    { note: 'a relative segment at the end', text: uri.replace('/orders', '/.') },
    { note: 'an escape', text: uri.replace('orders', 'order%73') },
    { note: 'a query', text: `${uri}?a` },
    { note: 'a fragment', text: `${uri}#a` },
    { note: 'NUL', text: `${uri}\0` },
    { note: 'NUL and more', text: `${uri}\0.example` },
    { note: 'a line feed at the end', text: `${uri}\n` },
    { note: 'a space in front', text: ` ${uri}` },
    { note: 'a letter beyond ASCII', text: uri.replace('orders', 'ordérs') },
    { note: 'a sign that SPIFFE does not know', text: uri.replace('/shop', '/a(b)') },
    { note: 'too long', text: uri.replace('orders', 'o'.repeat(2048)) },
  ]
  for (const { note, text } of cases) t.equal(parseMemberUri(text), undefined, note)
})

void t.test('formatMemberUri: nothing for a resource id that SPIFFE cannot say', async (t) => {
  const member = parseMemberUri(uri)
  t.not(member, undefined)
  if (member === undefined) return
  const resource = { ...member.resource, text: path.replace('/shop', '/a(b)') }
  t.equal(formatMemberUri({ ...member, resource }), undefined)
})

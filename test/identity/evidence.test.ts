import t from 'tap'
import { collectEvidence, parsePeer } from '../../src/identity/evidence.ts'
import { identityKind, withoutCallerHeaders } from '../../src/identity/identity-headers.ts'

const headers = {
  subscription: 'X-Sub_Id',
  perimeter: 'x-nsp-perimeter-id',
  resource: 'x-nsp-resource-id',
}

void t.test('collectEvidence gathers every spelling in order and judges nothing', async (t) => {
  const evidence = collectEvidence({
    rawHeaders: [
      ['x_sub.id', '1', 'Host', 'a', 'X-SUB-ID', '2', 'X-Forwarded-For', 'a', 'Forwarded', 'b'],
      ['x-forwarded-for', 'c', 'X_Forwarded_For', 'd', 'X-Forwarded-Proto', 'e'],
    ].flat(),
    peer: parsePeer('::ffff:192.0.2.1'),
    peerPort: 7,
    listener: 'public',
    headers,
    forwardedHeader: 'x-forwarded-for',
  })
  t.equal(evidence.peer?.text, '192.0.2.1')
  t.same(evidence.forwarded, ['a', 'c'])
  t.same(evidence.forwardingHeaders, [
    'X-Forwarded-For',
    'Forwarded',
    'x-forwarded-for',
    'X_Forwarded_For',
    'X-Forwarded-Proto',
  ])
  t.same(evidence.identityHeaders, [
    { kind: 'subscription', name: 'x_sub.id', value: '1' },
    { kind: 'subscription', name: 'X-SUB-ID', value: '2' },
  ])
})

void t.test('parsePeer takes what Node gives: mapped, with a zone, or nothing', async (t) => {
  t.equal(parsePeer('fe80::1%eth0')?.text, 'fe80::1')
  t.equal(parsePeer('::ffff:127.0.0.1')?.text, '127.0.0.1')
  t.equal(parsePeer(undefined), undefined)
})

void t.test('identityKind knows a configured name in every spelling', async (t) => {
  t.equal(identityKind(headers, 'x.sub.id'), 'subscription')
  t.equal(identityKind(headers, 'X_NSP_RESOURCE_ID'), 'resource')
  t.equal(identityKind(headers, 'x-nsp-perimeter'), undefined)
})

void t.test('withoutCallerHeaders leaves no identity and no forwarding header', async (t) => {
  const raw = [
    ['X_Sub_Id', '1', 'Accept', '*', 'x.forwarded.for', '2', 'Forwarded', '3'],
    ['X-Real-IP', '4', 'X_Nsp.Perimeter-Id', '5', 'X-Forwarded-Client-Cert', '6', 'Via', '7'],
  ].flat()
  t.same(withoutCallerHeaders(raw, headers), ['Accept', '*', 'Via', '7'])
})

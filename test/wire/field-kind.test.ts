import t from 'tap'
import { FieldKind, fieldKindOf } from '../../src/wire/field-kind.ts'
import { isHopByHop } from '../../src/wire/headers.ts'

function kindOf(name: string): number {
  const bytes = Buffer.from(`x${name}x`, 'latin1')
  return fieldKindOf(bytes, 1, 1 + name.length)
}

const names: Readonly<Record<string, number>> = {
  'content-length': FieldKind.contentLength,
  'transfer-encoding': FieldKind.transferEncoding,
  connection: FieldKind.connection,
  'proxy-authenticate': FieldKind.proxyAuthenticate,
  'www-authenticate': FieldKind.authenticate,
  'proxy-authentication-info': FieldKind.hopByHop,
  'proxy-authorization': FieldKind.hopByHop,
  'proxy-connection': FieldKind.hopByHop,
  te: FieldKind.hopByHop,
  trailer: FieldKind.hopByHop,
  'keep-alive': FieldKind.keepAlive,
  upgrade: FieldKind.upgrade,
  expect: FieldKind.expect,
  host: FieldKind.host,
  date: FieldKind.date,
  'x-ringfence-correlation-id': FieldKind.correlationId,
  'x-ms-request-id': FieldKind.requestId,
}

const forThisHop: ReadonlySet<number> = new Set([
  FieldKind.transferEncoding,
  FieldKind.connection,
  FieldKind.hopByHop,
  FieldKind.proxyAuthenticate,
  FieldKind.keepAlive,
  FieldKind.upgrade,
])

void t.test('fieldKindOf knows each name in any letter case', async (t) => {
  for (const [name, kind] of Object.entries(names)) {
    for (const spelled of [name, name.toUpperCase(), name.replace(/^./, (c) => c.toUpperCase())]) {
      t.equal(kindOf(spelled), kind, spelled)
    }
    t.equal(forThisHop.has(kind), isHopByHop(name), `${name} is for this hop to both`)
  }
})

void t.test('fieldKindOf takes no other byte for one of a name', async (t) => {
  for (const [name, kind] of Object.entries(names)) {
    for (let at = 0; at < name.length; at++) {
      for (let byte = 0; byte < 256; byte++) {
        const char = String.fromCharCode(byte)
        const changed = name.slice(0, at) + char + name.slice(at + 1)
        const isSame = /[A-Z]/.test(char) ? char.toLowerCase() === name[at] : char === name[at]
        if (isSame !== (kindOf(changed) === kind)) t.fail(JSON.stringify(changed))
      }
    }
    for (const other of [name.slice(1), name.slice(0, -1), `${name}x`, `x${name}`]) {
      t.equal(kindOf(other), FieldKind.other, other)
    }
  }
})

void t.test('fieldKindOf knows nothing of an empty and of a very long name', async (t) => {
  t.equal(kindOf(''), FieldKind.other)
  t.equal(kindOf('x'.repeat(1000)), FieldKind.other)
})

import t from 'tap'
import { createBackends } from '../../src/inbound/backends.ts'
import type { Backend } from '../../src/perimeter/resource.ts'
import { parseAuthority } from '../../src/wire/authority.ts'

function backend(text: string, caFile?: string): Backend {
  const authority = parseAuthority(text)
  if (authority === undefined) throw new Error(text)
  return { scheme: 'https', authority, ...(caFile === undefined ? {} : { caFile }) }
}

void t.test('Backends: a reload keeps pools unless the authority changes', (t) => {
  const backends = createBackends({ connectMs: () => 1000 })
  const target = (to: Backend, pem?: string) =>
    backends.target(to, pem === undefined ? undefined : new Map([['/ca.pem', pem]]))
  const first = target(backend('a.test:443', '/ca.pem'), 'one')
  t.ok(first)
  t.equal(target(backend('a.test:443', '/ca.pem'), 'one'), first, 'read anew, the same')
  t.not(target(backend('b.test:443', '/ca.pem'), 'one'), first, 'another address')
  t.not(target(backend('a.test:443')), first, "the system's authorities")
  const rotated = target(backend('a.test:443', '/ca.pem'), 'two')
  t.not(rotated, first, 'another authority')
  t.equal(target(backend('a.test:443', '/ca.pem'), 'two'), rotated)
  t.match(rotated?.pooled, { options: { ca: 'two', rejectUnauthorized: true } })
  t.end()
})

void t.test('Backends: without its own authority no other vouches for a back end', (t) => {
  const backends = createBackends({ connectMs: () => 1000 })
  for (const authorities of [undefined, new Map([['/other.pem', 'one']])]) {
    t.throws(() => backends.target(backend('a.test:443', '/ca.pem'), authorities))
  }
  t.end()
})

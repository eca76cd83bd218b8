import t from 'tap'
import { prefersHtml } from '../../src/wire/accept.ts'

void t.test('prefersHtml: browsers do, tools do not', async (t) => {
  for (const [note, accept, want] of [
    ['Firefox, Chrome', ['text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8'], true],
    ['any case, spaces', ['TEXT/HTML ; Q=0.9 , */*'], true],
    ['curl', ['*/*'], false],
    ['none', [], false],
    ['SDK', ['application/json'], false],
    ['text/*', ['text/*'], false],
    ['JSON preferred', ['text/html;q=0.5, application/json'], false],
    ['JSON as good', ['application/json, text/html'], true],
    ['refused', ['text/html;q=0'], false],
    ['a weight that is none', ['text/html;q=2'], false],
    ['two lines are one list', ['application/json;q=0.1', 'text/html'], true],
    ['too long to be a browser', [`text/html,${'a'.repeat(2000)}`], false],
  ] as const) {
    const raw = accept.flatMap((value) => ['Accept', value])
    t.equal(prefersHtml(raw), want, note)
  }
})

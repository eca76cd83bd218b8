import fc from 'fast-check'
import t from 'tap'
import { maxFieldLength, jsonText, jsonTexts } from '../../src/audit/json-text.ts'

// Envoy CVE-2024-45808.
void t.test('jsonText lets nothing through that drives a terminal or splits a line', async (t) => {
  for (const [note, text] of [
    ['C0', '\u0000\u0007\u0008\t\n\r\u001b'],
    ['DEL', '\u007f'],
    ['C1, the control sequence introducer among them', '\u0080\u009b\u009f'],
    ['line and paragraph separators', '\u2028\u2029'],
    ['bidirectional controls', '\u061c\u200e\u200f\u202a\u202e\u2066\u2069'],
    ['invisible', '\u200b\ufeff\u00ad'],
  ] as const) {
    const quoted = jsonText(text)
    t.match(quoted, /^"(?:\\u[0-9a-f]{4})+"$/, note)
    t.equal(JSON.parse(quoted), text, note)
  }
  t.equal(jsonText('a"b\\c'), '"a\\"b\\\\c"', 'what JSON itself escapes')
  t.equal(jsonText('a\ud800'), '"a\\ufffd"', 'half a surrogate pair is no text')
})

void t.test('jsonText cuts and says so, even in the middle of a surrogate pair', async (t) => {
  t.equal(jsonText('x'.repeat(maxFieldLength)), `"${'x'.repeat(maxFieldLength)}"`)
  t.equal(jsonText('x'.repeat(maxFieldLength + 1)), `"${'x'.repeat(maxFieldLength)}\\u2026"`)
  t.equal(jsonText('ab\u{1f600}', 3), '"ab\\ufffd\\u2026"')
})

void t.test('jsonTexts cuts lists', async (t) => {
  t.equal(jsonTexts(['a', 'b"'], 2), '["a","b\\""]')
  t.equal(jsonTexts(['a', 'b', 'c'], 2), '["a","b","\\u2026"]')
})

void t.test('jsonText: any text is bounded ASCII that parses to its beginning', async (t) => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 400 }), (text) => {
      const quoted = jsonText(text)
      const back = String(JSON.parse(quoted))
      return (
        /^[\x20-\x7e]+$/.test(quoted) &&
        quoted.length <= 6 * (maxFieldLength + 1) + 2 &&
        (text.length > maxFieldLength || back === text.toWellFormed())
      )
    }),
    { numRuns: 500, interruptAfterTimeLimit: 2000, verbose: true },
  )
  t.pass('seed is printed on failure')
})

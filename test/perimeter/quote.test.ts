import t from 'tap'
import { quote } from '../../src/perimeter/quote.ts'

const cases = [
  { note: 'plain text', text: 'orders', want: '`orders`' },
  { note: 'international text', text: 'b\u00fccher \u{1f4da}', want: '`b\u00fccher \u{1f4da}`' },
  { note: 'a backtick', text: 'a`b', want: "`a'b`" },
  { note: 'an escape sequence', text: '\u001b[31m', want: '`\\u001b[31m`' },
  { note: 'C1 and DEL', text: '\u009b\u007f', want: '`\\u009b\\u007f`' },
  { note: 'a line end', text: 'a\nb\u2028c', want: '`a\\u000ab\\u2028c`' },
  { note: 'a bidirectional override', text: 'a\u202eb', want: '`a\\u202eb`' },
  { note: 'a zero-width space', text: 'a\u200bb', want: '`a\\u200bb`' },
  { note: 'a lone surrogate', text: 'a\ud800', want: '`a\\ud800`' },
  { note: 'a tag character', text: '\u{e0041}', want: '`\\ue0041`' },
  { note: 'a password in a URL', text: 'http://me:pass@a:1', want: '`http://***@a:1`' },
  { note: 'a token in a URL', text: 'https://token@a/b', want: '`https://***@a/b`' },
  { note: 'a password with a slash', text: 'https://me:p/w@a/b', want: '`https://***@a/b`' },
  { note: 'a password without a scheme', text: 'me:pass@a:1', want: '`me:***@a:1`' },
  { note: 'a mail address', text: 'me@example.com', want: '`me@example.com`' },
  {
    note: 'a key that was pasted',
    text: '-----BEGIN EC PRIVATE KEY-----\nMHcC',
    want: '`-----BEGIN EC PRIVATE KEY-----***`',
  },
  { note: 'long text', text: 'a'.repeat(201), want: `\`${'a'.repeat(200)}\u2026\`` },
]

for (const { note, text, want } of cases) {
  void t.test(`quote: ${note}`, (t) => {
    t.equal(quote(text), want)
    t.end()
  })
}

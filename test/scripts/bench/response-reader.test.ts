import t from 'tap'
import { createHistogram } from '../../../scripts/bench/load/histogram.ts'
import { createResponseReader } from '../../../scripts/bench/load/response-reader.ts'

const response = 'HTTP/1.1 200 OK\r\ncontent-LENGTH: 5\r\nX: y\r\n\r\nhello'

function countOf(parts: readonly string[]): number {
  let count = 0
  const read = createResponseReader(() => count++)
  for (const part of parts) read(Buffer.from(part))
  return count
}

void t.test('createResponseReader: counts whole responses, however they are cut', async (t) => {
  t.equal(countOf([response]), 1)
  t.equal(countOf([response.slice(0, -1)]), 0)
  t.equal(countOf([response + response + response]), 3)
  t.equal(countOf((response + response).split('')), 2)
  t.equal(countOf(['HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n']), 1)
})

void t.test('createResponseReader: a refusal or another framing is no measurement', async (t) => {
  t.throws(
    () => countOf(['HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n']),
    /answered HTTP.1.1 403/,
  )
  t.throws(
    () => countOf(['HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n']),
    /no Content-Length/,
  )
})

void t.test('createHistogram: quantiles to 10 µs, and the longest', async (t) => {
  const histogram = createHistogram()
  for (let ms = 1; ms <= 100; ms++) histogram.add(ms - 0.005)
  t.equal(histogram.count, 100)
  t.equal(histogram.quantile(0.5), 50)
  t.equal(histogram.quantile(0.99), 99)
  t.equal(histogram.maxMs, 99.995)
  t.ok(Number.isNaN(createHistogram().quantile(0.5)))
})

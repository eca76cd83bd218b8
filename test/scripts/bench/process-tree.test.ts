import t from 'tap'
import { parseStat, readTree, sumTree } from '../../../scripts/bench/process-tree.ts'

const tail = '0 -1 4194304 100 200 0 0 5 6 7 8 20 0 1 0 300 1000000 40 18446744073709551615'

void t.test('parseStat: a name may hold anything', async (t) => {
  for (const name of ['node', 'tmux: server', 'a) R 1 (b']) {
    t.strictSame(parseStat(`12 (${name}) S 3 12 12 ${tail}`), {
      pid: 12,
      parent: 3,
      ticks: 5 + 6 + 7 + 8,
      residentPages: 40,
    })
  }
})

void t.test(
  'sumTree: the process, its children and theirs, in any order, and nobody else',
  async (t) => {
    const processes = [
      { pid: 40, parent: 30, ticks: 1, residentPages: 1 },
      { pid: 30, parent: 20, ticks: 10, residentPages: 2 },
      { pid: 20, parent: 1, ticks: 100, residentPages: 4 },
      { pid: 21, parent: 1, ticks: 1000, residentPages: 8 },
    ]
    t.strictSame(sumTree(20, processes), { cpuSeconds: 1.11, residentBytes: 7 * 4096 })
  },
)

void t.test('readTree: this process has used something', async (t) => {
  const { cpuSeconds, residentBytes } = readTree(process.pid)
  t.ok(cpuSeconds > 0)
  t.ok(Math.abs(residentBytes - process.memoryUsage.rss()) < 64 * 2 ** 20)
})

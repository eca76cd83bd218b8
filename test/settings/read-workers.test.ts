import { availableParallelism } from 'node:os'
import t from 'tap'
import { createFindings } from '../../src/documents/findings.ts'
import { readWorkers } from '../../src/settings/read-workers.ts'

function read(workers: number | 'auto', connections: number) {
  const said: string[] = []
  const findings = createFindings(() => ({ file: 'f', line: 1, column: 1 }))
  const noting = { ...findings, error: (_: unknown, message: string) => void said.push(message) }
  return { value: readWorkers({ workers, limits: { connections } }, noting), said }
}

void t.test(
  'readWorkers: `auto` is one for each core, as far as there are connections',
  async (t) => {
    t.same(read('auto', 1000), { value: availableParallelism(), said: [] })
    t.same(read('auto', 1), { value: 1, said: [] })
  },
)

void t.test('readWorkers: no more than connections to share', async (t) => {
  t.same(read(3, 3), { value: 3, said: [] })
  t.match(read(4, 3).said, ['4 workers cannot share `limits.connections`, which is 3'])
})

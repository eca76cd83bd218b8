import { join } from 'node:path'
import t from 'tap'
import { machineWarnings } from '../../src/compose/warnings.ts'

void t.test(
  'machineWarnings: where connections that wait for a thread would be reset',
  async (t) => {
    const folder = t.testdir({ off: '0\n', on: '1\n' })
    t.match(machineWarnings(2, join(folder, 'off')), [/^net\.ipv4\.tcp_migrate_req is 0/])
    t.same(machineWarnings(2, join(folder, 'on')), [])
    t.same(machineWarnings(2, join(folder, 'absent')), [], 'an older kernel')
    t.same(machineWarnings(1, join(folder, 'off')), [], 'one does not share')
  },
)

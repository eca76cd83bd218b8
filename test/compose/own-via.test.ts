import t from 'tap'
import { createVia } from '../../src/compose/own-via.ts'
import { hopsOf } from '../../src/wire/via.ts'

void t.test(
  'createVia: a name for each start, side and listener, and the same on all threads',
  (t) => {
    const [name, ...others] = [
      createVia('boot', 'inbound')('public'),
      createVia('boot', 'outbound')('public'),
      createVia('boot', 'inbound')('private'),
      createVia('another boot', 'inbound')('public'),
    ].map(({ pseudonym }) => pseudonym)
    t.equal(new Set([name, ...others]).size, 4)
    const via = createVia('boot', 'inbound')
    t.equal(via('public').pseudonym, name)
    t.equal(via('public'), via('public'))
    t.same(hopsOf(['Via', via('public').value]), [name], 'and is read as one of ours')
    t.end()
  },
)

import t from 'tap'
import { defaultPerimeterGuid } from '../../src/perimeter/perimeter-guid.ts'
import { parseResourceId } from '../../src/perimeter/resource-id.ts'

const text =
  '/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/Shop/providers/Microsoft.Network/networkSecurityPerimeters/Shop'

void t.test(
  'defaultPerimeterGuid is the UUIDv5 of the lower-cased resource id, however the id is written',
  (t) => {
    const id = parseResourceId(text)
    const shouted = parseResourceId(text.toUpperCase())
    if (id === undefined || shouted === undefined) throw new Error('the ids parse')
    // Computed with Python: uuid.uuid5(uuid.NAMESPACE_URL, text.lower())
    t.equal(defaultPerimeterGuid(id), 'e04b3da1-d05d-5614-98ae-516853870923')
    t.equal(defaultPerimeterGuid(shouted), defaultPerimeterGuid(id))
    t.end()
  },
)

import t from 'tap'
import { addressAnswers, addressForms } from './address-forms.ts'
import { entryPaths } from './entry-paths.ts'
import { framingMutations } from './framing-mutations.ts'
import { headerClaims } from './header-claims.ts'
import { hostSpellings } from './host-spellings.ts'

/** That none of the tables has lost its rows: a suite that tries nothing finds nothing. */

const outward = entryPaths.filter(({ leadsTo }) => leadsTo === 'outside').length

/** How many each class has on one lane; claims and mutations are tried on every path that can carry them besides. */
const classes = {
  hosts: {
    least: 1200,
    made: entryPaths.flatMap((path) => hostSpellings(path, 443).map(({ authority }) => authority)),
  },
  addresses: {
    least: 1900,
    made: Array.from({ length: outward }, () => addressForms().map(({ host }) => host)).flat(),
  },
  answers: {
    least: 500,
    made: Array.from({ length: outward }, () => addressAnswers()).flat(),
  },
  claims: { least: 300, made: headerClaims().map(({ lines }) => lines) },
  mutations: {
    least: 300,
    made: framingMutations().map((mutation) => JSON.stringify({ ...mutation, note: '' })),
  },
}

void t.test('there are at least 1,500 vectors, and none of them twice', (t) => {
  let total = 0
  for (const [name, { least, made }] of Object.entries(classes)) {
    t.ok(made.length >= least, `${name}: ${made.length}`)
    total += made.length
  }
  t.comment(`${total} vectors on each lane`)
  t.ok(total >= 1500)
  t.equal(new Set(classes.mutations.made).size, classes.mutations.made.length)
  t.end()
})

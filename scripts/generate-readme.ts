import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { fillConsoles } from './readme-examples.ts'
import { fillTables } from './readme-tables.ts'

/** Makes the tables of README.md and the output of its commands anew. */

const file = path.resolve(import.meta.dirname, '../README.md')
writeFileSync(file, fillConsoles(fillTables(readFileSync(file, 'utf8'))))

import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { fillTables } from './readme-tables.ts'

/** Makes the tables of README.md anew. */

const file = path.resolve(import.meta.dirname, '../README.md')
writeFileSync(file, fillTables(readFileSync(file, 'utf8')))

import type { Findings } from '../documents/findings.ts'
import type { Path } from '../documents/problem.ts'
import { personalData } from '../perimeter/personal-data.ts'
import { quote } from '../perimeter/quote.ts'
import { sharedSuffix } from '../perimeter/shared-suffix.ts'
import type { PerimeterValue } from './schema.ts'

/** Warnings about what is possible and what a careful operator would want to know, over a perimeter as written. */
export function warnOfPerimeter(value: PerimeterValue, findings: Findings): void {
  warnOfName(value.name, { path: ['name'], findings })
  for (const [index, profile] of value.profiles.entries()) {
    const path: Path = ['profiles', index]
    warnOfName(profile.name, { path: [...path, 'name'], findings })
    for (const [ruleIndex, rule] of profile.accessRules.entries()) {
      const rulePath = [...path, 'accessRules', ruleIndex]
      warnOfName(rule.name, { path: [...rulePath, 'name'], findings })
      warnOfPrefixes(rule.addressPrefixes ?? [], {
        path: [...rulePath, 'addressPrefixes'],
        findings,
      })
      warnOfNames(rule.fullyQualifiedDomainNames ?? [], {
        path: [...rulePath, 'fullyQualifiedDomainNames'],
        findings,
      })
    }
  }
  for (const list of ['resourceAssociations', 'links', 'linkReferences'] as const) {
    for (const [index, { name }] of value[list].entries()) {
      warnOfName(name, { path: [list, index, 'name'], findings })
    }
  }
  for (const list of ['links', 'linkReferences'] as const) {
    for (const [index, { description }] of value[list].entries()) {
      warnOfName(description ?? '', { path: [list, index, 'description'], findings })
    }
  }
}

interface At {
  readonly path: Path
  readonly findings: Findings
}

function warnOfName(name: string, { path, findings }: At): void {
  const personal = personalData(name)
  if (personal === undefined) return
  findings.warning(
    path,
    `${quote(name)} ${personal}; names are printed in logs and should hold no personal data`,
  )
}

function warnOfPrefixes(prefixes: readonly string[], { path, findings }: At): void {
  for (const [index, prefix] of prefixes.entries()) {
    if (!prefix.endsWith('/0')) continue
    findings.warning([...path, index], `${quote(prefix)} is everyone: the rule lets in any caller`)
  }
}

function warnOfNames(names: readonly string[], { path, findings }: At): void {
  const seen = new Set<string>()
  for (const [index, name] of names.entries()) {
    const lower = name.toLowerCase()
    const suffix = sharedSuffix(lower)
    if (suffix !== undefined) {
      findings.warning(
        [...path, index],
        `anyone can have a name below ${quote(suffix)}, so data may leave to whoever does; name the hosts that are needed`,
      )
    }
    if (!lower.includes('.')) {
      findings.warning(
        [...path, index],
        `${quote(lower)} has one label; it is resolved as it stands, without search lists`,
      )
    }
    if (seen.has(lower)) findings.warning([...path, index], `${quote(lower)} is listed twice`)
    seen.add(lower)
  }
}

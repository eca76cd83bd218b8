import t from 'tap'
import { readBackendAuthorities } from '../../src/compose/read-backend-authorities.ts'
import { createAuthority } from '../support/certificates.ts'
import { settingsFrom } from '../support/settings-parts.ts'

function settingsWith(...files: readonly (string | undefined)[]) {
  return settingsFrom({
    resources: files.map((backendCaFile, index) => ({
      id: `r${index}`,
      hosts: [`r${index}.test`],
      backend: 'https://127.0.0.1:1',
      ...(backendCaFile === undefined ? {} : { backendCaFile }),
    })),
  })
}

void t.test('readBackendAuthorities: the text of each file that is named, once', async (t) => {
  const authority = createAuthority()
  t.teardown(() => authority.remove())
  const { ca, caFile } = authority
  const read = await readBackendAuthorities(settingsWith(caFile, undefined, caFile))
  t.strictSame([...read], [[caFile, ca]])
})

void t.test('readBackendAuthorities: tells of every file that cannot be used', async (t) => {
  const authority = createAuthority()
  t.teardown(() => authority.remove())
  const { caFile } = authority
  const folder = t.testdir({ 'not.pem': 'no certificate' })
  const settings = settingsWith(`${folder}/none.pem`, caFile, `${folder}/not.pem`)
  await t.rejects(readBackendAuthorities(settings), {
    code: 'RF_SETTINGS',
    message: [
      `resource \`r0\`: \`backendCaFile\` \`${folder}/none.pem\`: the file does not exist`,
      `resource \`r2\`: \`backendCaFile\` \`${folder}/not.pem\`: the file holds no certificate in PEM form`,
    ].join('\n'),
  })
})

import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import t from 'tap'
import { parse } from 'yaml'
import {
  asMembers,
  at,
  checkSettings,
  listAt,
  readYaml,
  root,
  type Members,
} from './deployment-files.ts'

const folder = 'config/kubernetes'
const objects = readdirSync(path.join(root, folder)).flatMap((file) =>
  readYaml(`${folder}/${file}`),
)
const deployment = objectOf('Deployment', 'orders')
const pod = asMembers(at(deployment, 'spec', 'template', 'spec'))
const sidecar = named(listAt(pod, 'initContainers'), 'ringfence')
const workload = named(listAt(pod, 'containers'), 'orders')
const settings: unknown = parse(
  String(at(objectOf('ConfigMap', 'ringfence'), 'data', 'ringfence.yaml')),
)

function objectOf(kind: string, name: string): Members {
  const found = objects.find((one) => one['kind'] === kind && at(one, 'metadata', 'name') === name)
  if (found === undefined) throw new Error(`no ${kind} ${name}`)
  return found
}

function named(list: readonly unknown[], name: string): Members {
  return asMembers(list.find((one) => at(one, 'name') === name))
}

void t.test(
  'kubernetes: what the ConfigMaps embed passes check, mounted as in the pod',
  async (t) => {
    const place = t.testdir()
    for (const mount of listAt(sidecar, 'volumeMounts')) {
      const volume = named(listAt(pod, 'volumes'), String(at(mount, 'name')))
      const configMap: unknown = at(volume, 'configMap', 'name')
      if (typeof configMap !== 'string') continue
      const target = path.join(place, String(at(mount, 'mountPath')))
      mkdirSync(target, { recursive: true })
      t.equal(at(mount, 'subPath'), undefined, 'a subPath would never see a change')
      for (const [file, text] of Object.entries(
        asMembers(at(objectOf('ConfigMap', configMap), 'data')),
      )) {
        writeFileSync(path.join(target, file), String(text))
      }
    }
    const config = listAt(sidecar, 'args')[2]
    const { code, output } = await checkSettings(path.join(place, String(config)))
    t.equal(code, 0, output)
    t.match(output, / 0 warnings/)
  },
)

void t.test('kubernetes: the sidecar is native', async (t) => {
  t.equal(sidecar['restartPolicy'], 'Always')
  const grace = Number(pod['terminationGracePeriodSeconds'])
  t.ok(grace > 30, 'longer than the drain takes by default')
})

void t.test(
  'kubernetes: ports agree between settings, sidecar, service, policy and probes',
  async (t) => {
    const inbound = at(settings, 'inbound', 0, 'listen', 'port')
    const health = at(settings, 'health', 'listen', 'port')
    const ports = listAt(sidecar, 'ports')
    t.equal(at(named(ports, 'inbound'), 'containerPort'), inbound)
    t.equal(at(named(ports, 'health'), 'containerPort'), health)
    t.equal(at(objectOf('Service', 'orders'), 'spec', 'ports', 0, 'targetPort'), 'inbound')
    const policy = objectOf('NetworkPolicy', 'orders')
    const open = listAt(policy, 'spec', 'ingress').flatMap((rule) => listAt(rule, 'ports'))
    t.strictSame(
      open,
      [{ protocol: 'TCP', port: inbound }],
      "nothing but the sidecar's port is open",
    )
    for (const [probe, endpoint] of [
      ['startupProbe', '/readyz'],
      ['readinessProbe', '/readyz'],
      ['livenessProbe', '/livez'],
    ] as const) {
      t.strictSame(at(sidecar, probe, 'httpGet'), { path: endpoint, port: 'health' }, probe)
    }
  },
)

void t.test('kubernetes: service, policy and pods select the same', async (t) => {
  const labels = at(deployment, 'spec', 'template', 'metadata', 'labels')
  t.strictSame(at(deployment, 'spec', 'selector', 'matchLabels'), labels)
  t.strictSame(at(objectOf('Service', 'orders'), 'spec', 'selector'), labels)
  t.strictSame(
    at(objectOf('NetworkPolicy', 'orders'), 'spec', 'podSelector', 'matchLabels'),
    labels,
  )
})

void t.test('kubernetes: the workload can only use the proxy that speaks for it', async (t) => {
  const egress = at(settings, 'outbound', 0, 'listen')
  t.equal(at(egress, 'host'), '127.0.0.1')
  const proxy = `http://127.0.0.1:${String(at(egress, 'port'))}`
  const environment = listAt(workload, 'env')
  for (const name of ['HTTP_PROXY', 'HTTPS_PROXY', 'http_proxy', 'https_proxy']) {
    t.equal(at(named(environment, name), 'value'), proxy, name)
  }
  const backend = at(settings, 'resources', 0, 'backend')
  t.equal(backend, `http://${String(at(named(environment, 'LISTEN'), 'value'))}`)
})

void t.test('kubernetes: nobody is root, nothing is writable, uids differ', async (t) => {
  for (const container of [sidecar, workload]) {
    t.match(container['securityContext'], {
      runAsNonRoot: true,
      readOnlyRootFilesystem: true,
      allowPrivilegeEscalation: false,
      capabilities: { drop: ['ALL'] },
    })
  }
  const uid = at(sidecar, 'securityContext', 'runAsUser')
  const dockerfile = readFileSync(path.join(root, 'Dockerfile'), 'utf8')
  t.match(dockerfile, `USER ${String(uid)}:${String(uid)}\n`, "it is the image's uid")
  t.not(at(workload, 'securityContext', 'runAsUser'), uid)
})

void t.test(
  'kubernetes: the admin socket lies in a volume that the workload does not see',
  async (t) => {
    const socket = String(at(settings, 'admin', 'socket'))
    const mount = named(listAt(sidecar, 'volumeMounts'), 'admin')
    t.equal(mount['mountPath'], path.dirname(socket))
    t.ok(at(named(listAt(pod, 'volumes'), 'admin'), 'emptyDir'))
    t.strictSame(listAt(workload, 'volumeMounts'), [])
  },
)

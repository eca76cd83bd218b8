import { hosts } from './visits.ts'
import { addresses, partnerSubscription, type World } from './world.ts'

/** What to try by hand while the demo is kept running: commands that work as they stand. */
export function describeWorld(world: World): string[] {
  const { ports, services, settingsFile, shopFile, logFile, adminSocket } = world
  const orders = `-H 'Host: ${hosts.orders}' http://127.0.0.1:${ports.public}/`
  const loadBalancer = `--interface ${addresses.loadBalancer} -H 'X-Forwarded-For:`
  const gateway = `--interface ${addresses.gateway} -H 'x-nsp-subscription-id:`
  const egress = `-x http://127.0.0.1:${ports.ordersEgress}`
  const lines = [
    '# the office, a stranger, the partner',
    `curl -i ${loadBalancer} 203.0.113.10' ${orders}`,
    `curl -i ${loadBalancer} 198.51.100.66' ${orders}`,
    `curl -i ${gateway} ${partnerSubscription}' ${orders}`,
    '# egress of orders: to the payments host, to the drop',
    `curl -i ${egress} http://${hosts.payments}:${services.payments.port}/`,
    `curl -i ${egress} http://${hosts.drop}:${services.drop.port}/`,
    '# what was decided, live',
    `tail -f ${logFile}`,
    '# change the policy and try again',
    `\${EDITOR:-vi} ${shopFile}`,
    '# what is in force, and the last denials',
    `curl -s --unix-socket ${adminSocket} http://admin/policy`,
    `curl -s --unix-socket ${adminSocket} http://admin/denials`,
    `curl -s http://127.0.0.1:${ports.health}/metrics`,
    '# why',
    `npm run -s ringfence -- explain inbound --config ${settingsFile} --resource orders --source 198.51.100.66`,
  ]
  return [
    '',
    'Everything is left running, with all rules in force again. Try, in another terminal:',
    '',
    ...lines.map((line) => `  ${line}`),
    '',
    'Ctrl-C ends it all.',
  ]
}

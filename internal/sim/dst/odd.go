package dst

// oddFlow does what the ready flows seldom do: it does not know most events and has somebody asked about each,
// notes something on the order, asks for money by hand and gives back what may not be there to give back.
const oddFlow = `
kind: order_flow
name: odd
description: Does what flows seldom do.
select: {channels: [web], priority: 12}
flow:
  missed: exception
  ignore: [order.cancelled, payment.*, fulfillment.accepted, fulfillment.picked, fulfillment.packed]
  states:
    - name: new
      description: Captured.
      awaits: location
      enter: [set: {name: seen, value: "yes"}, authorize: {}]
      timers: [{name: late, after: 30h, every: 3d}]
      on:
        - {event: timer.late, do: [exception: {type: order_overdue, message: "It is {subject.status}"}]}
        - {event: fulfillment.shipped, to: leaving, do: [refund: {amount: "100", reason: it was late}]}
        - {event: fulfillment.handed_over, when: 'subject.status == "delivered"', to: done}
    - name: leaving
      description: Some of it left.
      awaits: carrier
      timers: [{name: late, after: 4d, every: 5d}]
      on:
        - {event: timer.late, do: [exception: {type: order_overdue, message: "It is {subject.status}"}]}
        - {event: fulfillment.delivered, when: 'subject.status == "delivered"', to: done}
    - name: done
      description: Over.
      final: true
`

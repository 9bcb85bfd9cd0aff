#!/usr/bin/env bash
# A real Slurm of one node in a folder of its own: munged, slurmctld and slurmd, without systemd, cgroups or accounting.
#
#   tests/cluster/one_node_slurm.sh start DIR    # then: . DIR/env.sh
#   tests/cluster/one_node_slurm.sh stop DIR     # stops the daemons of DIR and removes it
#   tests/cluster/one_node_slurm.sh kill-node DIR | revive-node DIR
#
# Needs root and the commands of Slurm and MUNGE (Debian: apt-get install --no-install-recommends slurm-wlm munge).
# CPUS, GPUS, MEMORY (MB) and PORT (the first of three) may be set. Sockets, keys, ports and configuration are private. The
# GPUs are stand-ins: Slurm schedules them and sets CUDA_VISIBLE_DEVICES, and nothing is behind them.
set -euo pipefail

verb=${1:-} folder=${2:-}
[ -n "$folder" ] || { sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "$0" >&2; exit 2; }
CPUS=${CPUS:-2} GPUS=${GPUS:-2} MEMORY=${MEMORY:-8000} PORT=${PORT:-36817}
PATH=$PATH:/usr/sbin:/sbin
node=$(hostname -s)
export SLURM_CONF=$folder/slurm.conf

running() { [ -s "$folder/$1.pid" ] && kill -0 "$(cat "$folder/$1.pid")" 2>/dev/null; }

wait_for() {
    local _
    for _ in $(seq 100); do
        if "$@" >/dev/null 2>&1; then return; fi
        sleep 0.1
    done
    echo "one_node_slurm.sh: in vain: $*; see $folder/*.log" >&2
    return 1
}

# The daemon is told by its pid file, which it writes itself.
end() {
    local signal=$1 daemon=$2 pid
    running "$daemon" || return 0
    pid=$(cat "$folder/$daemon.pid")
    kill "-$signal" "$pid"
    wait_for sh -c "! kill -0 $pid"
    rm -f "$folder/$daemon.pid"
}

configure() {
    mkdir -p "$folder"/{state,spool,munge,bin}
    chmod 755 "$folder" && chmod 700 "$folder/munge"
    head -c 128 /dev/urandom >"$folder/munge/key" && chmod 400 "$folder/munge/key"

    for n in $(seq 0 $((GPUS - 1))); do
        mknod -m 666 "$folder/gpu$n" c 1 3 # as /dev/null; of a plain file Slurm sets no CUDA_VISIBLE_DEVICES
        echo "NodeName=$node Name=gpu Type=standin File=$folder/gpu$n"
    done >"$folder/gres.conf"

    # cred_expire is also how long a requeued job is held back. MinJobAge keeps finished jobs visible to squeue.
    # config_overrides: CPUS may exceed the real ones. KillWait: seconds from the end of the time to the kill.
    cat >"$folder/slurm.conf" <<CONF
ClusterName=onenode
SlurmctldHost=$node(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$folder/munge.sock,cred_expire=5
CredType=cred/munge
SlurmctldPort=$PORT
SlurmdPort=$((PORT + 1))
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.pid
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool
SlurmctldLogFile=$folder/slurmctld.log
SlurmdLogFile=$folder/slurmd.log
ProctrackType=proctrack/pgid
TaskPlugin=task/none
MpiDefault=none
SwitchType=switch/none
SlurmdParameters=config_overrides
ReturnToService=2
SlurmdTimeout=10
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=1,sched_interval=2,bf_interval=2
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
GresTypes=gpu
MinJobAge=7200
JobRequeue=1
KillWait=10
InactiveLimit=0
Waittime=0
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=1
JobAcctGatherParams=OverMemoryKill
NodeName=$node NodeAddr=127.0.0.1 CPUs=$CPUS Boards=1 SocketsPerBoard=1 CoresPerSocket=$CPUS ThreadsPerCore=1 RealMemory=$MEMORY Gres=gpu:standin:$GPUS
NodeName=no-gpu NodeAddr=127.0.0.1 Port=$((PORT + 2)) CPUs=$CPUS RealMemory=$MEMORY State=DOWN
PartitionName=main Nodes=$node Default=YES MaxTime=INFINITE DefaultTime=10 DefMemPerCPU=100 State=UP
PartitionName=short Nodes=$node MaxTime=10 DefaultTime=1 DefMemPerCPU=100 State=UP
PartitionName=no-gpu Nodes=no-gpu State=UP
PartitionName=closed Nodes=$node State=DOWN
CONF

    # The plugin drops SLURM_CONF before its inner srun: a cluster has the file in its usual place, this one has not.
    printf '#!/bin/sh\nSLURM_CONF=%s exec %s "$@"\n' "$SLURM_CONF" "$(command -v srun)" >"$folder/bin/srun"
    chmod 755 "$folder/bin/srun"
    printf 'export SLURM_CONF=%s\nexport PATH=%s:$PATH\n' "$SLURM_CONF" "$folder/bin" >"$folder/env.sh"
}

start_node() {
    running slurmd || slurmd -N "$node"
    wait_for sh -c "sinfo -h -o %T | grep -Eq 'idle|mixed|allocated'"
}

# What a node takes along when it dies, in this order: its daemon, those of the steps, and what the jobs run.
kill_node() {
    end KILL slurmd
    local process
    for process in $(of_this_cluster slurmstepd) $(of_this_cluster job); do kill -KILL "$process" 2>/dev/null || true; done
}

of_this_cluster() {
    local process
    for process in /proc/[0-9]*; do
        grep -qzx "SLURM_CONF=$SLURM_CONF" "$process/environ" 2>/dev/null || continue
        if [ "$1" = job ]; then
            grep -qz "^SLURM_JOB_ID=" "$process/environ" 2>/dev/null || continue
        else
            [ "$(cat "$process/comm" 2>/dev/null)" = "$1" ] || continue
        fi
        echo "${process#/proc/}"
    done
}

case $verb in
    start)
        [ -s "$folder/slurm.conf" ] || configure
        running munged || munged --num-threads=2 --key-file="$folder/munge/key" --socket="$folder/munge.sock" \
            --pid-file="$folder/munged.pid" --log-file="$folder/munged.log" --seed-file="$folder/munge/seed" --force 2>/dev/null
        wait_for munge -n -S "$folder/munge.sock"
        running slurmctld || slurmctld
        wait_for scontrol ping
        start_node
        ;;
    stop)
        if running slurmctld; then
            squeue --noheader --format=%A | xargs --no-run-if-empty scancel || true
            wait_for sh -c 'test -z "$(squeue --noheader --states=RUNNING,COMPLETING)"' || true
        fi
        for daemon in slurmd slurmctld munged; do end TERM "$daemon"; done
        rm -rf "$folder"
        ;;
    kill-node) kill_node ;;
    revive-node) start_node ;;
    *) echo "one_node_slurm.sh: no such verb: $verb" >&2; exit 2 ;;
esac
